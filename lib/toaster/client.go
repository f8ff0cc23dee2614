package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// client speaks to a site. What is lost on the way is sent again.
type client struct {
	site
	http     *http.Client
	patience time.Duration    // how long it waits in all for a site that is away
	waiting  func(why string) // says that it waits; empty: no longer
	reached  atomic.Bool      // the site has answered in this run
}

// firstPatience is how long a site is waited for that has never answered: its address may be wrong.
const firstPatience = 3 * time.Second

func (w *world) client(s site) *client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = uploads + 1
	transport.DialContext = (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	transport.ResponseHeaderTimeout = answerTimeout
	return &client{site: s, patience: w.retry, waiting: w.waits(),
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a token goes nowhere else
		}}}
}

// waits says once that the site is waited for, and that it is back.
func (w *world) waits() func(string) {
	var lock sync.Mutex
	said := false
	return func(why string) {
		lock.Lock()
		defer lock.Unlock()
		if w.json && why != "" && !said {
			w.event("waiting", map[string]any{"reason": why})
		}
		switch {
		case why != "" && !said:
			w.note("%s Trying again for up to %s …", why, short(w.retry))
		case why == "" && said:
			w.note("The site is available again.")
		}
		said = why != ""
	}
}

const (
	answerTimeout = 5 * time.Minute  // for a site that has everything to answer
	stillTimeout  = 60 * time.Second // nothing comes or goes
)

// unreachable is a site that does not answer.
type unreachable struct {
	message, advice string
}

func (u *unreachable) Error() string { return u.message }

// call is a request. It may be sent several times.
type call struct {
	method, path string
	query        url.Values
	header       http.Header
	kind         string                        // Content-Type
	body         func() (io.ReadCloser, error) // nil: none
	size         int64                         // of the body
}

func (c *client) request(ctx context.Context, k call) (*http.Request, error) {
	var body io.Reader
	if k.body != nil {
		r, err := k.body()
		if err != nil {
			return nil, err
		}
		body = r
	}
	address := c.URL + k.path
	if len(k.query) > 0 {
		address += "?" + k.query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, k.method, address, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.ContentLength = k.size
		if k.size == 0 {
			r.Body.Close()
			r.Body = http.NoBody
		}
	}
	for name, values := range k.header {
		r.Header[name] = values
	}
	if k.kind != "" {
		r.Header.Set("Content-Type", k.kind)
	}
	if r.Header.Get("Accept") == "" {
		r.Header.Set("Accept", "application/json")
	}
	r.Header.Set("User-Agent", "toaster/"+version)
	if c.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	return r, nil
}

// answer is what a site says to a call.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends a call until it is answered with success; an error is a *problem or *unreachable, or the context's.
func (c *client) do(ctx context.Context, k call) (a *answer, err error) {
	err = c.try(ctx, func(ctx context.Context) error {
		a, err = c.once(ctx, k)
		return err
	})
	return a, err
}

// get is do for a GET whose answer is JSON.
func (c *client) get(ctx context.Context, path string, query url.Values, into any) error {
	a, err := c.do(ctx, call{method: http.MethodGet, path: path, query: query})
	if err != nil {
		return err
	}
	return a.decode(c, into)
}

func (a *answer) decode(c *client, into any) error {
	if err := json.Unmarshal(a.body, into); err != nil {
		return failed(exitRefused, "Check that the address is that of a toaster site.",
			"%s does not answer as a toaster site does", c.URL)
	}
	return nil
}

// once sends a call, and reads the whole answer.
func (c *client) once(ctx context.Context, k call) (*answer, error) {
	r, still, err := c.open(ctx, k)
	if err != nil {
		return nil, err
	}
	defer still.stop()
	defer r.Body.Close()
	body, err := io.ReadAll(still.reader(r.Body))
	if err != nil {
		return nil, err
	}
	if r.StatusCode >= 300 {
		return nil, problemOf(c.URL, r, body)
	}
	return &answer{r.StatusCode, r.Header, body}, nil
}

// open sends a call, and returns the answer before its body is read, and the watch that ends it when it stands still.
func (c *client) open(ctx context.Context, k call) (*http.Response, *watch, error) {
	still := newWatch(ctx)
	r, err := c.request(still.ctx, k)
	if err != nil {
		still.stop()
		return nil, nil, err
	}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = still.body(r.Body)
	} else {
		still.pause()
	}
	answer, err := c.http.Do(r)
	if err != nil {
		err = still.explain(err)
		still.stop()
		return nil, nil, err
	}
	still.again()
	return answer, still, nil
}

// firstDelay is how long the first wait is at most; each further one is twice as long.
const firstDelay = 500 * time.Millisecond

// progressed is an error of what has come further than the try before.
type progressed struct{ error }

func (p progressed) Unwrap() error { return p.error }

// try does something until it succeeds, or fails for good. Waiting is counted, not the clock: a laptop may sleep.
func (c *client) try(ctx context.Context, do func(context.Context) error) error {
	waited, delay := time.Duration(0), firstDelay
	for {
		err := do(ctx)
		if err == nil {
			c.reached.Store(true)
			c.waiting("")
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.As(err, new(progressed)) {
			waited, delay = 0, firstDelay
		}
		why, after := c.hopeful(err)
		if why == "" {
			return c.final(err)
		}
		patience := c.patience
		if !c.reached.Load() {
			patience = min(patience, firstPatience)
		}
		pause := max(after, delay/2+rand.N(delay/2+1))
		if waited+pause > patience {
			return c.giveUp(err, why)
		}
		if c.reached.Load() {
			c.waiting(why)
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		waited, delay = waited+pause, min(delay*2, 15*time.Second)
	}
}

// hopeful says why another try may help, and how long to wait at least; empty: it won't.
func (c *client) hopeful(err error) (why string, after time.Duration) {
	var (
		p   *problem
		own *failure
		net *url.Error
	)
	switch {
	case errors.As(err, &p):
		c.reached.Store(true)
		if p.temporary() {
			return fmt.Sprintf("%s is not available at the moment (status %d).", c.URL, p.Status), p.after
		}
		return "", 0
	case errors.As(err, &own):
		return "", 0
	case errors.As(err, &net), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, errStill):
		if permanent(err) {
			return "", 0
		}
		return "The connection to " + c.URL + " is lost: " + reason(err) + ".", 0
	}
	if isNet(err) {
		return "The connection to " + c.URL + " is lost: " + reason(err) + ".", 0
	}
	return "", 0
}

func (c *client) giveUp(err error, why string) error {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	if c.reached.Load() {
		return &unreachable{strings.TrimSuffix(why, "."), "Try again later. What was sent is kept."}
	}
	return &unreachable{c.URL + " can't be reached: " + reason(err), "Check the address and your network."}
}

// final is an error that time does not change.
func (c *client) final(err error) error {
	if !permanent(err) {
		return err
	}
	return &unreachable{c.URL + " can't be reached securely: " + reason(err),
		"Check the address, and that your computer knows who signed the site's certificate."}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func bytesBody(b []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
}
