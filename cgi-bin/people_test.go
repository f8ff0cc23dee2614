package cgibin

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestATargetIsNamedWholeEverywhere: three targets of one release are told apart wherever one of them is named.
func TestATargetIsNamedWholeEverywhere(t *testing.T) {
	s, program, id := built(t)
	c := s.browser(ada)
	for _, title := range []string{"Root filesystem (tar)", "Virtual machine (qcow2, vdi)", "Live ISO"} {
		for _, path := range []string{"/jobs/new", "/", "/targets"} {
			if !strings.Contains(c.get(path).body, title+" · Devuan 5 daedalus · amd64<") {
				t.Errorf("%s doesn't name %s", path, title)
			}
		}
	}
	const title = "Root filesystem (tar) · Debian 12 bookworm · amd64"
	second := "/jobs/" + id + "/builds/1"
	for _, path := range []string{"/jobs", "/jobs/" + id, "/jobs/" + id + "/update", second, "/jobs/" + id + "/compare"} {
		if !strings.Contains(c.get(path).body, title) {
			t.Errorf("%s names the target otherwise", path)
		}
		german := c.with("Accept-Language", "de").get(path)
		if !strings.Contains(german.body, "Root-Dateisystem (tar) · Debian 12 bookworm · amd64") {
			t.Errorf("%s in German names the target otherwise", path)
		}
	}
	if got := program.get("/jobs/" + id).json(t)["target_title"]; got != title {
		t.Errorf("in JSON it is %v", got)
	}
	if found := program.get("/jobs?q=root+filesystem").json(t)["found"]; found != 1.0 {
		t.Errorf("a search by its words finds %v", found)
	}
	admin := s.admin()
	for _, path := range []string{"/admin/jobs", "/admin/jobs/" + id} {
		if !strings.Contains(admin.get(path).body, title) {
			t.Errorf("%s names the target otherwise", path)
		}
	}
}

func TestProgramsLearnTheTargets(t *testing.T) {
	s := newSite(t)
	a := s.anybody().with("Accept", "application/json").get("/targets")
	var got struct {
		Targets []struct{ Name, Title, SDK, Arch, Distribution, Codename, Version string }
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 || len(got.Targets) < 10 {
		t.Fatal(a.status, err, a.body)
	}
	titles := map[string]bool{}
	for _, x := range got.Targets {
		if titles[x.Title] || x.Title == "" || !strings.HasPrefix(x.Name, x.SDK+"_"+x.Arch+"_"+x.Codename) {
			t.Errorf("%+v", x)
		}
		titles[x.Title] = true
	}
	if link := a.header.Get("Link"); link != `</static/openapi.json>; rel="service-desc"; type="application/json"` {
		t.Error(link)
	}
	help := s.anybody().get("/help")
	for _, want := range []string{"vm_amd64_daedalus", "Live ISO · Devuan 5 daedalus · amd64",
		`href="/static/openapi.json"`, "FROM devuan/devuan:excalibur\nRUN "} {
		if !strings.Contains(help.body, want) {
			t.Errorf("the help lacks %q", want)
		}
	}
}

// TestTheSampleCanBeSent as it stands in the form.
func TestTheSampleCanBeSent(t *testing.T) {
	c := newSite(t).browser(ada)
	if a := c.get("/jobs/new"); !strings.Contains(a.body, `href="/jobs/new?sample=1"`) {
		t.Error("the form leads to no sample")
	}
	a := c.get("/jobs/new?sample=1&target=" + target)
	text := regexp.MustCompile(`(?s)<textarea[^>]*id="text"[^>]*>\n(.*?)</textarea>`).FindStringSubmatch(a.body)
	if text == nil || !strings.Contains(text[1], "FROM debian:bookworm") {
		t.Fatal(a.body)
	}
	a = c.post("/jobs", "text", html.UnescapeString(text[1]), "target", target)
	if a.status != http.StatusSeeOther {
		t.Error(a.status, a.body)
	}
}

// TestAnErrorPageKnowsWhoIsLoggedIn: of every kind.
func TestAnErrorPageKnowsWhoIsLoggedIn(t *testing.T) {
	s := newSite(t)
	c := s.browser(ada)
	for _, at := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/nowhere", 404}, {"GET", "/jobs/0a1b2c3d4e5f", 404}, {"GET", "/jobs/x/y/z", 404},
		{"GET", "/account/none", 404},
		{"GET", "/admin/none", 404}, {"GET", "/admin", 403}, {"POST", "/help", 405}, {"DELETE", "/jobs", 405},
	} {
		a := c.do(at.method, at.path, "", nil)
		if a.status != at.status || !strings.Contains(a.body, "Log out") || strings.Contains(a.body, ">Log in<") {
			t.Errorf("%s %s: %d, without the menu of somebody logged in", at.method, at.path, a.status)
		}
		if a := s.anybody().do(at.method, at.path, "", nil); strings.Contains(a.body, "Log out") {
			t.Errorf("%s %s: nobody can log out", at.method, at.path)
		}
	}
	s.must(os.WriteFile(s.dir+"/targets.toml", []byte("x"), 0o600))
	if a := c.get("/"); a.status != 503 || !strings.Contains(a.body, "Log out") {
		t.Errorf("a broken site: %d, %s", a.status, a.body)
	}
}

// TestALogInWithoutCookiesSaysSo instead of asking for the password again and again.
func TestALogInWithoutCookiesSaysSo(t *testing.T) {
	s := newSite(t)
	c := s.anybody()
	a := c.post("/account/login", "email", ada, "password", password, "next", "/jobs/new")
	where := a.header.Get("Location")
	c.cookie = ""
	if a = c.get(where); a.status != http.StatusForbidden || !strings.Contains(a.body, "Allow cookies") ||
		!strings.Contains(a.body, `name="next" value="/jobs/new"`) || !strings.Contains(a.body, `name="password"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a = c.with("Accept-Language", "de").get(where); !strings.Contains(a.body, "Cookies") ||
		strings.Contains(a.body, "cookies for") {
		t.Error("not in German")
	}
	c = s.anybody()
	where = c.post("/account/login", "email", ada, "password", password, "next", "/jobs/new").header.Get("Location")
	if a = c.get(where); a.status != http.StatusSeeOther || a.header.Get("Location") != "/jobs/new" {
		t.Errorf("with cookies: %d %v", a.status, a.header)
	}
	secure := newSite(t, "[session]\nsecure = \"always\"")
	c = secure.anybody()
	where = c.post("/account/login", "email", ada, "password", password).header.Get("Location")
	c.cookie = "other=1"
	if a = c.get(where); !strings.Contains(a.body, "https://") {
		t.Error("a cookie for HTTPS only:", a.body)
	}
}

// TestThePageThatWasAskedForIsKept through the log-in, whatever its address has in it.
func TestThePageThatWasAskedForIsKept(t *testing.T) {
	s := newSite(t)
	for asked, want := range map[string]string{
		"/jobs/a1b2c3d4e5f6/builds/1/artifacts/my%20image.txt":  "",
		"/jobs/a1b2c3d4e5f6/builds/1/artifacts/a+b%26c.txt":     "/jobs/a1b2c3d4e5f6/builds/1/artifacts/a+b&c.txt",
		"/jobs/a1b2c3d4e5f6/builds/1/artifacts/%C3%A4%E6%97%A5": "",
		"/jobs/a1b2c3d4e5f6/builds/1/artifacts/50%25%3F%23":     "",
		"/jobs/a1b2c3d4e5f6/builds/1/artifacts/a%2Fb":           "/jobs/a1b2c3d4e5f6/builds/1/artifacts/a/b",
		"/jobs?q=a+b%20c&state=new":                             "",
		"/jobs?q=%C3%A4%2Fx%0D%0A":                              "",
		"/jobs?q=a b":                                           "/jobs?q=a%20b",
		"/jobs/new?target=" + target:                            "",
	} {
		if want == "" {
			want = asked
		}
		c := s.anybody()
		c.cookie = "toaster=old"
		login, err := url.Parse(c.get(asked).header.Get("Location"))
		s.must(err)
		form := c.get(login.String())
		next := regexp.MustCompile(`name="next" value="([^"]+)"`).FindStringSubmatch(form.body)
		if next == nil {
			t.Fatalf("%s: %s", asked, form.body)
		}
		a := c.post("/account/login", "email", ada, "password", password, "next", html.UnescapeString(next[1]))
		if got := a.header.Get("Location"); got != want {
			t.Errorf("%s: after the log-in %s", asked, got)
		}
	}
}
