package hooks

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"toaster.do/lib/store"
)

// resolver answers with these addresses for each name, and counts the questions.
func resolver(t *testing.T, asked *atomic.Int32, addresses ...string) *net.Resolver {
	answer := func(c net.Conn) {
		defer c.Close()
		var n [2]byte
		for {
			if _, err := io.ReadFull(c, n[:]); err != nil {
				return
			}
			question := make([]byte, binary.BigEndian.Uint16(n[:]))
			var m dnsmessage.Message
			if _, err := io.ReadFull(c, question); err != nil || m.Unpack(question) != nil {
				return
			}
			asked.Add(1)
			m.Response, m.Additionals = true, nil
			for _, text := range addresses {
				a := netip.MustParseAddr(text)
				h := dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET}
				if m.Questions[0].Type == dnsmessage.TypeA && a.Is4() {
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
				} else if m.Questions[0].Type == dnsmessage.TypeAAAA && a.Is6() {
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
				}
			}
			packed, err := m.Pack()
			if err != nil {
				t.Error(err)
				return
			}
			c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...))
		}
	}
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go answer(theirs)
		return ours, nil
	}}
}

// watched is a TLS server that counts who connects.
func watched(t *testing.T) (port string, connected *atomic.Int32) {
	connected = new(atomic.Int32)
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connected.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port, connected
}

// try has one message sent to an address, and returns the try.
func (o *office) try(url string) store.Delivery {
	o.Helper()
	id, _ := o.hook(url)
	o.build(store.Failed)
	o.deliver()
	d := o.deliveries(id)[0]
	h, err := o.db.Hook(o.Context(), o.user.ID, o.job.ID, id)
	o.must(err)
	o.must(o.db.DeleteHook(o.Context(), o.user.ID, o.job.ID, h.ID, store.AuditEntry{At: o.now}))
	return d
}

// Whatever a name means by the time of the call, nothing private is called.
func TestNothingPrivateIsCalled(t *testing.T) {
	port, connected := watched(t)
	for _, address := range []string{"127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254",
		"64:ff9b::7f00:1"} {
		var asked atomic.Int32
		o := newOffice(t)
		o.sender.resolver = resolver(t, &asked, address)
		for _, host := range []string{"rebind.example.org", "localhost.", "2130706433", "0x7f.1", "127.1"} {
			d := o.tryForbidden("https://" + host + ":" + port + "/")
			if d.Status != 0 || d.Error.IsZero() {
				t.Errorf("%s as %s: %+v", host, address, d)
			}
		}
		if asked.Load() == 0 {
			t.Error("no name was looked up")
		}
	}
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "127.1.2.3",
		"10.0.0.1", "169.254.169.254"} {
		url := "https://" + host + ":" + port + "/"
		if CheckURL(url, nil) == nil {
			t.Errorf("%s may be stored", url)
		}
		o := newOffice(t)
		if d := o.tryForbidden(url); d.Error.String() != "The site does not allow this address." {
			t.Errorf("%s: %+v", url, d)
		}
	}
	if n := connected.Load(); n > 0 {
		t.Errorf("%d connections", n)
	}
}

// tryForbidden is try for an address that the administrator has not allowed.
func (o *office) tryForbidden(url string) store.Delivery {
	o.Helper()
	allow := o.cfg.Hooks.Allow
	id, _ := o.hook(url)
	o.cfg.Hooks.Allow = allow
	o.build(store.Failed)
	o.deliver()
	d := o.deliveries(id)[0]
	o.must(o.db.DeleteHook(o.Context(), o.user.ID, o.job.ID, id, store.AuditEntry{At: o.now}))
	return d
}

// What the administrator names is called: by its name, or by the address that a name has. An unknown certificate shows
// that it was reached.
func TestWhatTheAdministratorAllowsIsCalled(t *testing.T) {
	port, connected := watched(t)
	for i, allow := range []string{"ci.internal", "CI.internal:" + port, "127.0.0.1", "127.0.0.1:" + port} {
		o := newOffice(t)
		o.sender.resolver = resolver(t, new(atomic.Int32), "127.0.0.1")
		o.cfg.Hooks.Allow = []string{allow}
		d := o.tryForbidden("https://ci.internal:" + port + "/")
		if !strings.HasPrefix(d.Error.String(), "The certificate of the receiver is not valid: ") ||
			int(connected.Load()) != i+1 {
			t.Errorf("%s: %+v, %d connections", allow, d, connected.Load())
		}
	}
	for _, other := range []string{"127.0.0.1:1", "internal", "ci.internal:1", "27.0.0.1"} {
		o := newOffice(t)
		o.sender.resolver = resolver(t, new(atomic.Int32), "127.0.0.1")
		o.cfg.Hooks.Allow = []string{other}
		if d := o.tryForbidden("https://ci.internal:" + port + "/"); d.Error.String() !=
			"The host has an address of a private network, which the site does not allow." {
			t.Errorf("%s: %+v", other, d)
		}
	}
}

func TestHostileReceivers(t *testing.T) {
	sendTimeout = 500 * time.Millisecond
	defer func() { sendTimeout = 10 * time.Second }()
	inner := newReceiver(t, 200)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		status int
		want   string
	}{
		"redirects": {func(w http.ResponseWriter, q *http.Request) {
			http.Redirect(w, q, inner.URL, http.StatusTemporaryRedirect)
		}, 307, "The receiver redirects to another address."},
		"never answers": {func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() }, 0,
			"The receiver did not answer within"},
		"answers without end": {func(w http.ResponseWriter, q *http.Request) {
			for q.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, 200, ""},
		"answers a byte at a time": {func(w http.ResponseWriter, q *http.Request) {
			w.WriteHeader(202)
			for q.Context().Err() == nil {
				io.WriteString(w, "x")
				http.NewResponseController(w).Flush()
				time.Sleep(20 * time.Millisecond)
			}
		}, 202, ""},
		"hangs up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0,
			"The receiver can't be reached: "},
		"has a large header": {func(w http.ResponseWriter, _ *http.Request) {
			for i := range 100 {
				w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("x", 1000))
			}
		}, 0, "The receiver can't be reached: "},
	} {
		o := newOffice(t)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			io.Copy(io.Discard, q.Body) // so that the server sees when the client leaves
			c.answer(w, q)
		}))
		d := o.try(s.URL)
		if d.Status != c.status || !strings.HasPrefix(d.Error.String(), c.want) || (c.want == "") != d.Error.IsZero() ||
			len(d.Answer) > 3<<10 {
			t.Errorf("%s: status %d, %q, %d bytes", name, d.Status, d.Error, len(d.Answer))
		}
		s.CloseClientConnections()
		s.Close()
	}
	if len(inner.got) > 0 {
		t.Errorf("a redirect was followed %d times", len(inner.got))
	}
	o := newOffice(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	o.must(err)
	l.Close()
	if d := o.try("http://" + l.Addr().String() + "/secret-path"); d.Status != 0 ||
		!strings.Contains(d.Error.String(), "refused") || strings.Contains(d.Error.String()+o.log.String(), "secret-path") {
		t.Errorf("%+v %s", d, o.log.String())
	}
}

// A certificate has as many names as its maker likes.
func TestTheLogHasNoLongCertificate(t *testing.T) {
	err := &url.Error{Err: &tls.CertificateVerificationError{Err: errors.New(strings.Repeat("é", 1<<16))}}
	if n := len(problem(err).String()); n > 400 {
		t.Errorf("%d bytes", n)
	}
}

func TestAddressesOfHooks(t *testing.T) {
	allow := []string{"ci.internal:8080", "10.1.2.3"}
	for text, want := range map[string]bool{
		"https://example.org": true, "https://example.org:8443/a?b=c": true, "https://93.184.216.34/": true,
		"http://ci.internal:8080/x": true, "http://10.1.2.3/": true, "https://10.1.2.3:99/": true,
		"http://example.org/": false, "http://ci.internal/": false, "https://10.1.2.4/": false, "": false,
		"example.org": false,
		"https://":    false, "https://:": false, "https://:443/": false, "https:example.org": false,
		"ftp://example.org/": false, "file:///etc/passwd": false,
		"https://user:password@example.org/": false, "https://example.org/#x": false, "https://exa mple.org/": false,
		"https://example.org/\nx": false, "https://[::1]/": false, "https://localhost/": false,
		"https://LOCALHOST:1/":                             false,
		"https://example.org/" + strings.Repeat("x", 2000): false, "javascript:alert(1)": false,
	} {
		if err := CheckURL(text, allow); (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}
