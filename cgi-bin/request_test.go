package cgibin

import (
	"cmp"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

var prefixes = []string{"", "/toaster", "/x/y"}

func TestEveryLinkStaysBelowThePrefix(t *testing.T) {
	link := regexp.MustCompile(`(?:href|src|action|formaction)="([^"]*)"`)
	for _, prefix := range prefixes {
		s := newSite(t)
		s.prefix = prefix
		c := s.browser(ada)
		id := s.program(s.token(ada, "write")).addJob("start", "1")
		for _, path := range []string{"/", "/help", "/account", "/account/password", "/account/address", "/account/factor",
			"/account/sessions", "/account/tokens", "/account/remove",
			"/account/recover", "/account/activate?link=x", "/account/sent?for=signup", "/jobs", "/jobs/new", "/jobs/" + id,
			"/jobs/" + id + "/update", "/jobs/" + id + "/remove", "/jobs/" + id + "/builds/1", "/missing"} {
			a := c.get(path)
			for _, l := range link.FindAllStringSubmatch(a.body, -1) {
				if outside := strings.HasPrefix(l[1], "https://"); !outside && l[1][0] != '#' && l[1][0] != '?' &&
					!strings.HasPrefix(l[1], prefix+"/") {
					t.Errorf("below %q, %s links to %s", prefix, path, l[1])
				}
			}
			if !strings.Contains(a.body, `href="`+prefix+`/static/toaster.css?v=`) {
				t.Errorf("below %q, %s has no style", prefix, path)
			}
		}
		if a := s.anybody().get("/jobs"); a.header.Get("Location") != prefix+"/account/login?next=%2Fjobs" {
			t.Errorf("below %q: %s", prefix, a.header.Get("Location"))
		}
		if a := s.anybody().post("/account/login", "email", ada, "password",
			password); !strings.Contains(a.header.Get("Set-Cookie"), "Path="+prefix+"/") &&
			!strings.Contains(a.header.Get("Set-Cookie"), "Path="+prefix+";") {
			t.Errorf("below %q: %s", prefix, a.header.Get("Set-Cookie"))
		}
	}
}

func TestAConfiguredPrefixCounts(t *testing.T) {
	s := newSite(t, "[site]\nprefix = \"/outside\"")
	s.prefix = "/inside"
	if a := s.anybody().get("/jobs"); a.header.Get("Location") != "/outside/account/login?next=%2Fjobs" {
		t.Error(a.header.Get("Location"))
	}
}

func TestSecurityHeadersAreOnEveryAnswer(t *testing.T) {
	s := newSite(t)
	c := s.browser(ada)
	for _, path := range []string{"/", "/jobs", "/missing", "/jobs/aaaaaaaaaaaa", "/jobs/new"} {
		h := c.get(path).header
		csp := h.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none';") || strings.Contains(csp, "unsafe") ||
			!strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: %s", path, csp)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "same-origin" {
			t.Errorf("%s: %v", path, h)
		}
		// A form is shown again as it was left to who goes back.
		if kept := map[string]string{"/jobs/new": "private, no-cache"}[path]; h.Get("Cache-Control") != cmp.Or(kept,
			"no-store") {
			t.Errorf("%s: %v", path, h)
		}
	}
	page := c.get("/jobs/new").body
	if regexp.MustCompile(`(?i)<style|style=|<script(>| [^s])|\son\w+=`).MatchString(page) {
		t.Error("something inline")
	}
}

func TestOneIdNamesARequest(t *testing.T) {
	s := newSite(t)
	a, b := s.anybody().get("/missing"), s.anybody().get("/missing")
	id := a.header.Get("X-Request-Id")
	if len(id) != 16 || id == b.header.Get("X-Request-Id") || !strings.Contains(a.body, id) {
		t.Errorf("id %q, on the page: %v", id, strings.Contains(a.body, id))
	}
	if n := strings.Count(a.log, "\n"); n != 1 || !strings.Contains(a.log, "request="+id) ||
		!strings.Contains(a.log, "status=404") {
		t.Errorf("%d lines: %s", n, a.log)
	}
}

func TestALogLineCanNotBeForged(t *testing.T) {
	s := newSite(t)
	a := s.anybody().get("/x%0Atime=2020%20level=INFO%20msg=request%20status=200")
	if strings.Count(a.log, "\n") != 1 || !strings.Contains(a.log, `path="/x\ntime=2020 level=INFO`) {
		t.Error(a.log)
	}
}

func TestMethods(t *testing.T) {
	s := newSite(t)
	c := s.browser(ada)
	for _, x := range []struct{ method, path, allow string }{
		{"DELETE", "/", "GET, HEAD"},
		{"PUT", "/jobs", "GET, HEAD, POST"},
		{"GET", "/jobs/aaaaaaaaaaaa/start", "POST"},
		{"GET", "/account/logout", "POST"},
		{"OPTIONS", "/jobs/new", "GET, HEAD"},
	} {
		if a := c.do(x.method, x.path, "", nil); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != x.allow {
			t.Errorf("%s %s: %d, Allow: %s", x.method, x.path, a.status, a.header.Get("Allow"))
		}
	}
	whole, head := c.get("/jobs"), c.do("HEAD", "/jobs", "", nil)
	if head.status != 200 || head.body != "" || head.header.Get("Content-Length") != whole.header.Get("Content-Length") ||
		whole.header.Get("Content-Length") == "0" {
		t.Errorf("HEAD: %d %v %q", head.status, head.header, head.body)
	}
}

func TestPathsThatAreNotThere(t *testing.T) {
	s := newSite(t)
	c := s.browser(ada)
	for _, path := range []string{"/missing", "/help/x", "/jobsx", "/account/signup/x", "/account/tokens/1", "/jobs/a/b",
		"/jobs/aaaaaaaaaaaa/compare", "/jobs//new", "/jobs/../account", "/favicon.ico"} {
		if a := c.get(path); a.status != http.StatusNotFound || !strings.Contains(a.body, "<h1>") {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	for from, to := range map[string]string{"/help/": "/help", "/jobs/new/?target=a%20b": "/jobs/new?target=a%20b",
		"/account/login/": "/account/login"} {
		if a := c.get(from); a.status != http.StatusPermanentRedirect || a.header.Get("Location") != to {
			t.Errorf("%s: %d %s", from, a.status, a.header.Get("Location"))
		}
	}
	if a := c.get("/jobs/"); a.status != 200 {
		t.Error(a.status)
	}
}

// brokenSites are instances that can't answer, and what their page says to do.
func TestASiteThatCanNotOpenSaysWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(s *site)
		says  string
	}{
		"no database":      {func(s *site) { s.must(os.Remove(s.cfg.Paths.Database)) }, "toasterctl init"},
		"an older schema":  {func(s *site) { s.sql("PRAGMA user_version = 0") }, "toasterctl migrate"},
		"a newer schema":   {func(s *site) { s.sql("PRAGMA user_version = 1000") }, "install the newer version"},
		"another user's":   {func(s *site) { s.must(os.Chown(s.cfg.Paths.Database, 12345, 12345)) }, "another user"},
		"not a database":   {func(s *site) { s.spoilDatabase() }, "Administrator"},
		"no configuration": {func(s *site) { s.must(os.Remove(s.conf())) }, "toasterctl init"},
		"a broken configuration": {func(s *site) { s.must(os.WriteFile(s.conf(), []byte("engine = 7"), 0o600)) },
			"configuration"},
		"no keys": {func(s *site) { s.must(os.Remove(s.cfg.Paths.Keys)) }, "toasterctl"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			if name == "another user's" && os.Geteuid() != 0 {
				s.must(os.Chmod(s.cfg.Paths.Database, 0))
				c.says = "Administrator"
			} else {
				c.spoil(s)
			}
			for _, path := range []string{"/", "/jobs", "/account/login"} {
				a := s.anybody().get(path)
				if a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, c.says) ||
					!strings.Contains(a.body, "<h1>") {
					t.Errorf("%s: %d %s", path, a.status, a.body)
				}
				if strings.Contains(a.body, s.dir) || !strings.Contains(a.log, "level=ERROR") {
					t.Errorf("%s tells where things lie, or the log doesn't: %s", path, a.log)
				}
			}
			a := s.anybody().with("Accept", "application/json").get("/jobs")
			if a.status != http.StatusServiceUnavailable || a.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("JSON: %d %s", a.status, a.header.Get("Content-Type"))
			}
		})
	}
}

func (s *site) spoilDatabase() {
	s.db.Close()
	for _, side := range []string{"-wal", "-shm"} {
		os.Remove(s.cfg.Paths.Database + side)
	}
	s.must(os.WriteFile(s.cfg.Paths.Database, []byte(strings.Repeat("no database ", 1000)), 0o600))
}

func TestAProgramThatNoWebServerRunsSaysSo(t *testing.T) {
	out, err := exec.Command(programs + "/jobs").CombinedOutput()
	if e, ok := err.(*exec.ExitError); !ok || e.ExitCode() != 2 || !strings.Contains(string(out), "toasterctl serve") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestAnEnvironmentThatCanNotBeRead(t *testing.T) {
	s := newSite(t)
	_, env := s.anybody().environment("GET", "/jobs", "", 0)
	for _, bad := range []string{"CONTENT_LENGTH=x", "REQUEST_URI=/%zz", "SERVER_PROTOCOL=x"} {
		cmd := exec.Command(programs + "/jobs")
		cmd.Env = append(env, bad)
		out, err := cmd.Output()
		if err != nil || !strings.HasPrefix(string(out), "Status: 400 ") {
			t.Errorf("%s: %v %s", bad, err, out)
		}
	}
	cmd := exec.Command(programs + "/jobs")
	cmd.Env = append(env, "SERVER_PROTOCOL=HTTP/2.0")
	if out, err := cmd.Output(); err != nil || !strings.HasPrefix(string(out), "Status: 303 ") {
		t.Errorf("HTTP/2: %v %s", err, out)
	}
}

func TestOtherSitesCanNotSendForms(t *testing.T) {
	s := newSite(t)
	c := s.browser(ada)
	for _, header := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"},
		{"Origin", "null"}} {
		a := c.with(header[0], header[1]).post("/jobs", "text", "FROM x")
		if a.status != http.StatusForbidden || !strings.Contains(a.body, "<h1>") {
			t.Errorf("%v: %d", header, a.status)
		}
	}
	if a := c.with("Sec-Fetch-Site", "cross-site").get("/jobs"); a.status != 200 {
		t.Errorf("a link from another site: %d", a.status)
	}
	if a := c.with("Sec-Fetch-Site", "same-origin").post("/jobs", "text", "FROM x"); a.status != 422 {
		t.Errorf("a form of ours: %d", a.status)
	}
}

func TestProblemsForPrograms(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	a := c.get("/jobs/aaaaaaaaaaaa")
	p := a.json(t)
	if a.header.Get("Content-Type") != "application/problem+json" || a.status != 404 || p["status"] != 404.0 ||
		p["title"] != "Not Found" || p["type"] != "about:blank" ||
		p["detail"] == "" || p["instance"] != "urn:toaster:request:"+a.header.Get("X-Request-Id") {
		t.Errorf("%v", p)
	}
	p = c.post("/jobs", "text", "FROM debian:bookworm\nRUNN true\n", "target", target).json(t)
	if findings, ok := p["findings"].([]any); !ok || len(findings) == 0 || p["field"] != "dockerfile" {
		t.Errorf("%v", p)
	}
	if a := c.with("Accept", "text/html").get("/jobs/aaaaaaaaaaaa"); !strings.HasPrefix(a.header.Get("Content-Type"),
		"text/html") {
		t.Error(a.header)
	}
}
