package hooks

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/netguard"
)

// longURL is as long as a hook's address may be, bytes.
const longURL = 2000

// CheckURL tells what is wrong with the address of a hook, as far as it shows: what its name means is looked at when
// it is called. allow are the hosts that may be called although they are private, and without encryption.
func CheckURL(text string, allow []string) error {
	u, err := url.Parse(text)
	refuse := func(err error) error { return apperr.Of(err).At("url").Coded("hook_url") }
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "" || len(text) > longURL,
		strings.ContainsAny(text, " \t\r\n"):
		return refuse(apperr.New(apperr.InvalidArgument, "This is not a valid address.",
			"Enter an address such as https://ci.example.org/hook, 2000 characters at most."))
	case u.User != nil || u.Fragment != "":
		return refuse(apperr.New(apperr.InvalidArgument, "The address must not contain a user, a password or a fragment.",
			"Omit it. The receiver knows the sender by the signature."))
	case u.Scheme == "http" && !allowed(allow, hostPort(u)):
		return refuse(apperr.New(apperr.InvalidArgument, "The address must begin with https://.",
			"Use HTTPS. Administrator: [hooks] allow in toaster.toml lists hosts that can be called without it."))
	case u.Scheme != "https" && u.Scheme != "http":
		return refuse(apperr.New(apperr.InvalidArgument, "The address must begin with https://.", ""))
	}
	a, err := netip.ParseAddr(u.Hostname())
	private := err == nil && !netguard.IsPublic(a) || strings.EqualFold(u.Hostname(), "localhost")
	if private && !allowed(allow, hostPort(u)) {
		return refuse(apperr.New(apperr.InvalidArgument, "This is an address of a private network.",
			"Use one of the internet. Administrator: [hooks] allow in toaster.toml lists exceptions."))
	}
	return nil
}

// hostPort is the host and the port that an address means.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// allowed tells whether a list of HOST and HOST:PORT has a host with a port.
func allowed(list []string, address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && slices.ContainsFunc(list, func(entry string) bool {
		return strings.EqualFold(entry, address) || strings.EqualFold(entry, host)
	})
}

// connectTimeout is how long connecting may take, and then the handshake.
const connectTimeout = 5 * time.Second

// client calls hooks: only addresses of the internet, and those that are allowed, whatever a name means by the time of
// the call. It follows no redirect, and uses no proxy.
func client(allow []string, resolver *net.Resolver) *http.Client {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		named := allowed(allow, address)
		d := net.Dialer{Timeout: connectTimeout, KeepAlive: -1, Resolver: resolver,
			Control: func(network, at string, c syscall.RawConn) error {
				if named || allowed(allow, at) {
					return nil
				}
				return netguard.PublicOnly(network, at, c)
			}}
		return d.DialContext(ctx, network, address)
	}
	return &http.Client{
		Timeout:       sendTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: dial, TLSHandshakeTimeout: connectTimeout, DisableKeepAlives: true,
			DisableCompression: true, MaxResponseHeaderBytes: 64 << 10},
	}
}
