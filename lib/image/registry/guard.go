package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"toaster.do/lib/config"
	"toaster.do/lib/netguard"
)

// Requests that a registry can make this host send: to wherever it redirects, or says that tokens are. The guard keeps
// them to what the administrator allows, whatever a name means by the time of the call.
var (
	errPlain     = errors.New("only HTTPS is used, except for the hosts in registry.insecure")
	errTooLarge  = errors.New("the answer is too large")
	errTooMany   = errors.New("the registry redirects without end")
	mostRequests = 24 // for one image: 2 to learn how, 3 to ask, some redirects each
)

// guard is a transport for the look-up of one image.
type guard struct {
	base  *http.Transport
	plain []string // hosts that may be asked without encryption

	mu       sync.Mutex
	limit    int64 // bytes of an answer
	requests int
	wait     time.Duration // that an answer 429 asked for
}

func newGuard(cfg config.Registry, p place) *guard {
	dialer := net.Dialer{Timeout: cfg.ConnectTimeout.Duration, KeepAlive: -1}
	closed := dialer
	closed.Control = netguard.PublicOnly
	return &guard{plain: cfg.Insecure, limit: largestManifest, base: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if slices.Contains(cfg.Insecure, address) || p.named && slices.Contains(p.addresses(), address) {
				return dialer.DialContext(ctx, network, address)
			}
			return closed.DialContext(ctx, network, address)
		},
		TLSHandshakeTimeout:    cfg.ConnectTimeout.Duration,
		MaxResponseHeaderBytes: 64 << 10, DisableCompression: true, ForceAttemptHTTP2: true,
	}}
}

// addresses are what is dialed for a place itself.
func (p *place) addresses() []string {
	if _, _, err := net.SplitHostPort(p.host); err == nil {
		return []string{p.host}
	}
	return []string{p.host + ":443", p.host + ":80"}
}

func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	g.mu.Lock()
	g.requests++
	requests, limit := g.requests, g.limit
	g.mu.Unlock()
	switch {
	case requests > mostRequests:
		return nil, errTooMany
	case r.URL.User != nil,
		r.URL.Scheme != "https" && (r.URL.Scheme != "http" || !slices.Contains(g.plain, withPort(r.URL.Host))):
		return nil, fmt.Errorf("%s://%s: %w", r.URL.Scheme, r.URL.Host, errPlain)
	}
	resp, err := g.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		g.mu.Lock()
		g.wait = retryAfter(resp.Header.Get("Retry-After"))
		g.mu.Unlock()
	}
	if resp.ContentLength > limit {
		resp.Body.Close()
		return nil, errTooLarge
	}
	resp.Body = &bounded{resp.Body, limit}
	return resp, nil
}

// take bounds the answers that follow.
func (g *guard) take(limit int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limit = limit
}

func (g *guard) asked() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.wait
}

// bounded is a body that fails where it is longer than it may be.
type bounded struct {
	io.ReadCloser
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// withPort is a host with its port, for a URL without encryption.
func withPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return host + ":80"
}

// longestWait is as much as is believed of a registry that asks to be left alone.
const longestWait = 24 * time.Hour

// retryAfter reads seconds or a time; 0: neither.
func retryAfter(text string) time.Duration {
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return min(time.Duration(min(n, 1<<20))*time.Second, longestWait)
	}
	if t, err := http.ParseTime(text); err == nil {
		return min(max(0, time.Until(t)), longestWait)
	}
	return 0
}
