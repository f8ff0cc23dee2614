package session

import (
	"fmt"
	"net/http"
	"testing"

	"toaster.do/lib/apperr"
)

// behind is a request from an address with a header.
func behind(address, name, value string) *http.Request {
	r := request(nil, name, value)
	r.RemoteAddr = address
	return r
}

func TestAProxyHidesWhomTheWebServerDoesNotName(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct{ from, name, value, want string }{
		{"127.0.0.1:1", "X-Forwarded-For", "203.0.113.5", "203.0.113.5 via 127.0.0.1"},
		// what the client wrote stands first
		{"127.0.0.1:1", "X-Forwarded-For", "127.0.0.1, 203.0.113.5", "203.0.113.5 via 127.0.0.1"},
		{"[::1]:1", "X-Forwarded-For", "2001:db8::5", "2001:db8::5 via ::1"},
		{"10.0.0.1:1", "Forwarded", `for=192.0.2.1;by=x, FOR="[2001:db8::5]:99"; proto=https`,
			"2001:db8::5 via 10.0.0.1"},
		{"192.168.1.1:1", "X-Forwarded-For", "203.0.113.5:4711", "203.0.113.5 via 192.168.1.1"},
		{"127.0.0.1:1", "X-Forwarded-For", "<script>", "somebody via 127.0.0.1"},
		{"127.0.0.1:1", "Forwarded", "for=_hidden", "somebody via 127.0.0.1"},
		{"127.0.0.1:1", "Forwarded", "proto=https", "127.0.0.1"},
		// mod_extforward has taken the proxy's word, and leaves it there
		{"10.0.0.7:1", "X-Forwarded-For", "10.0.0.7", "10.0.0.7"},
		{"203.0.113.9:1", "X-Forwarded-For", "192.0.2.1", "203.0.113.9"},
		{"127.0.0.1:1", "Accept", "x", "127.0.0.1"},
	} {
		if got := s.Address(behind(c.from, c.name, c.value)); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestWhatAProxySaysIsCountedAndNotBelieved(t *testing.T) {
	s := newSite(t)
	try := func(client string) error {
		return s.Allow(t.Context(), "login", s.Address(behind("127.0.0.1:1", "X-Forwarded-For", client)))
	}
	for range 5 {
		must(t, try("203.0.113.5"))
	}
	if err := try("203.0.113.5"); apperr.KindOf(err) != apperr.RateLimited {
		t.Error("one client goes on: ", err)
	}
	must(t, try("203.0.113.6"))
	passed := 6
	for i := range 500 {
		if try(fmt.Sprintf("%d.%d.0.1", 11+i%100, i/100)) == nil {
			passed++
		}
	}
	if passed != 5*32 {
		t.Errorf("%d tries with an address of their own choice each", passed)
	}
}

func FuzzAddress(f *testing.F) {
	f.Add("203.0.113.5", "for=x")
	f.Fuzz(func(t *testing.T, list, forwarded string) {
		r := behind("127.0.0.1:1", "X", "y")
		r.Header["X-Forwarded-For"], r.Header["Forwarded"] = []string{list}, []string{forwarded}
		if client, hidden := Proxied(r); len(client) > 45 || hidden && client == "" {
			t.Errorf("%q", client)
		}
	})
}
