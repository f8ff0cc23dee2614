package cgibin

import (
	"net/http"
	"strings"
	"testing"
)

// What each sender gets where nobody is logged in, and of a page that isn't there.
func TestPageOrJSONIsNegotiatedByAcceptAndToken(t *testing.T) {
	const (
		w3m     = "text/html, text/*;q=0.5, image/*, application/*, audio/*, video/*"
		firefox = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
		basic   = "Basic YWRhOnNlY3JldA=="
		html    = "text/html; charset=utf-8"
		json    = "application/json"
		problem = "application/problem+json"
	)
	s := newSite(t)
	token := "Bearer " + s.token(ada, "read")
	cookie := s.browser(ada).cookie
	for _, x := range []struct {
		what, accept, authorization, cookie string
		kind, missing                       string // of the list, and of what is not there
		stranger                            int    // the list's status without a cookie
	}{
		{"a browser", firefox, "", cookie, html, html, http.StatusSeeOther},
		{"w3m", w3m, "", cookie, html, html, http.StatusSeeOther},
		{"w3m behind the web server's password", w3m, basic, cookie, html, html, http.StatusSeeOther},
		{"a browser behind the web server's password", "*/*", basic, cookie, html, html, http.StatusSeeOther},
		{"a browser that says nothing, behind a password", "", basic, cookie, html, html, http.StatusSeeOther},
		{"another scheme", "*/*", "Digest username=ada", cookie, html, html, http.StatusSeeOther},
		{"a page's script", json, "", cookie, json, problem, http.StatusUnauthorized},
		{"a page's script behind a password", "application/json, text/plain, */*", basic, cookie, json, problem,
			http.StatusUnauthorized},
		{"curl", "*/*", token, "", json, problem, 0},
		{"a program that says nothing", "", token, "", json, problem, 0},
		{"a program that wants pages", "text/html", token, "", html, html, 0},
		{"a program that would rather have pages", "text/html, */*", token, "", html, html, 0},
		{"curl with a wrong token", "*/*", "bearer wrong", cookie, problem, problem, http.StatusUnauthorized},
		{"a wrong token for pages", "text/html", "Bearer wrong", cookie, html, html, http.StatusUnauthorized},
	} {
		c := s.anybody()
		for name, value := range map[string]string{"Accept": x.accept, "Authorization": x.authorization} {
			if value != "" {
				c.header.Set(name, value)
			}
		}
		if x.stranger != 0 {
			a := c.get("/jobs")
			if a.status != x.stranger ||
				(a.status == http.StatusUnauthorized) != strings.HasPrefix(a.header.Get("Www-Authenticate"), "Bearer") {
				t.Errorf("%s, without a cookie: %d %v", x.what, a.status, a.header)
			}
		}
		c.cookie = x.cookie
		if a := c.get("/jobs"); a.header.Get("Content-Type") != x.kind {
			t.Errorf("%s: %d %v", x.what, a.status, a.header)
		}
		if a := c.get("/jobs/missing"); a.header.Get("Content-Type") != x.missing {
			t.Errorf("%s, of what is not there: %d %v", x.what, a.status, a.header)
		}
		// Only a token keeps other sites' forms out by itself.
		c.header.Set("Sec-Fetch-Site", "cross-site")
		a := c.post("/jobs/missing/start")
		if forged := x.cookie != "" && !strings.HasPrefix(strings.ToLower(x.authorization),
			"bearer "); forged != strings.Contains(a.body, "from another site") {
			t.Errorf("%s, from another site: %d %s", x.what, a.status, a.body)
		}
	}
}
