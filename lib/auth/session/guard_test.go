package session

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/apperr"
)

func TestOtherSitesCannotSendForms(t *testing.T) {
	for _, c := range []struct {
		what, method string
		headers      []string
		passes       bool
	}{
		{"our own page", "POST", []string{"Sec-Fetch-Site", "same-origin"}, true},
		{"a typed address", "POST", []string{"Sec-Fetch-Site", "none"}, true},
		{"another site", "POST", []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"another host of our domain", "POST", []string{"Sec-Fetch-Site", "same-site"}, false},
		{"a link on another site", "GET", []string{"Sec-Fetch-Site", "cross-site"}, true},
		{"another site, HEAD", "HEAD", []string{"Sec-Fetch-Site", "cross-site"}, true},
		{"another site, DELETE", "DELETE", []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"an old browser, our page", "POST", []string{"Origin", "http://example.com"}, true},
		{"an old browser, another page", "POST", []string{"Origin", "http://evil.example"}, false},
		{"an old browser, another port", "POST", []string{"Origin", "http://example.com:81"}, false},
		{"an old browser, our page through a proxy", "POST", []string{"Origin", "https://public.example"}, true},
		{"an old browser, our page by plain HTTP", "POST", []string{"Origin", "http://public.example"}, false},
		{"an old browser, no page", "POST", []string{"Origin", "null"}, false},
		{"a program", "POST", nil, true},
		{"a program with a token", "POST", []string{"Authorization", "Bearer x", "Origin", "http://evil.example"}, true},
		{"a web server's password", "POST", []string{"Authorization", "Basic YTpi", "Sec-Fetch-Site", "cross-site"}, false},
	} {
		passed := false
		var refused error
		h := Guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed = true }),
			"https://public.example/toaster",
			func(_ http.ResponseWriter, _ *http.Request, err error) { refused = err })
		r := request(nil, c.headers...)
		r.Method = c.method
		h.ServeHTTP(httptest.NewRecorder(), r)
		if passed != c.passes || passed == (refused != nil) || refused != nil &&
			apperr.KindOf(refused) != apperr.PermissionDenied {
			t.Errorf("%s: passed %v, %v", c.what, passed, refused)
		}
	}
}

func TestTriesAreSlowed(t *testing.T) {
	s := newSite(t)
	allow := func(key string) error { return s.Allow(t.Context(), "test", key) }
	for range 5 {
		must(t, allow("a"))
		s.now = s.now.Add(time.Second)
	}
	err := allow("a")
	if f := apperr.Of(err); f.Kind != apperr.RateLimited || !strings.Contains(f.Advice.String(), "Wait 5 seconds") {
		t.Errorf("the sixth within ten seconds: %v: %s", err, f.Advice)
	}
	must(t, allow("b")) // somebody else isn't concerned
	s.now = s.now.Add(5 * time.Second)
	must(t, allow("a"))
}

func TestWhoGoesOnIsSlowedMore(t *testing.T) {
	s := newSite(t)
	// tries counts how many pass within a span when somebody tries every second.
	tries := func(span time.Duration) (n int) {
		for end := s.now.Add(span); s.now.Before(end); s.now = s.now.Add(time.Second) {
			if s.Allow(t.Context(), "test", "a") == nil {
				n++
			}
		}
		return n
	}
	for _, step := range []struct {
		span time.Duration
		most int
	}{{10 * time.Second, 5}, {290 * time.Second, 10}, {25 * time.Minute, 60}} {
		if n := tries(step.span); n > step.most || n == 0 {
			t.Errorf("%d tries passed within %v, wanted at most %d", n, step.span, step.most)
		}
	}
	s.now = s.now.Add(time.Hour)
	must(t, s.Allow(t.Context(), "test", "a")) // and it ends by itself
}
