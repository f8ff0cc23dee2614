package cgibin

import (
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// rejected are submissions that are not taken: each is told at its field, and nothing is stored.
func rejected(t *testing.T) map[string]struct {
	fields      []string
	status      int
	field, says string
} {
	type c = struct {
		fields      []string
		status      int
		field, says string
	}
	one := func(text string) []string { return []string{"dockerfile:Dockerfile", text, "target", target} }
	with := func(context string) []string {
		return []string{"dockerfile:Dockerfile", good, "context:c.tar", context, "target", target}
	}
	return map[string]c{
		"no file":       {[]string{"target", target}, 422, "dockerfile", "There is no Dockerfile"},
		"an empty file": {one(""), 422, "dockerfile", "no Dockerfile"},
		"white space":   {one(" \n\n"), 422, "dockerfile", "empty"},
		"64 KiB + 1": {one("FROM debian:bookworm\n#" + strings.Repeat("x", 64<<10-21)), 413, "dockerfile",
			"64 KiB"},
		"much too large": {one(strings.Repeat("x", 1<<20)), 413, "dockerfile", ""},
		"not UTF-8":      {one("FROM debian:bookworm\nRUN echo \xff\n"), 422, "dockerfile", "Line 2"},
		"a NUL":          {one("FROM debian:bookworm\nRUN echo \x00\n"), 422, "dockerfile", "Line 2"},
		"a syntax error": {one("FROM debian:bookworm\nRUNN true\n"), 422, "dockerfile", "RUN"},
		"no FROM":        {one("RUN true\n"), 422, "dockerfile", ""},
		"an unknown target": {[]string{"dockerfile:Dockerfile", good, "target", "vm_z80_potato"}, 422, "target",
			"vm_z80_potato"},
		"no target": {[]string{"dockerfile:Dockerfile", good}, 422, "target", ""},
		"a target that's off": {[]string{"dockerfile:Dockerfile", good, "target", "rootfs_i386_daedalus"}, 422, "target",
			"rootfs_i386_daedalus"},
		"not a readable archive": {with("this is not a readable archive"), 422, "context", ""},
		"a hostile archive":      {with(archive(t, "../../etc/passwd", "x")), 422, "context", "../../etc/passwd"},
		"a large archive":        {with(strings.Repeat("x", 1<<20+1)), 413, "context", "1 MiB"},
		"a missing source":       {with(archive(t, "other.txt", "x")), 422, "dockerfile", "hello.txt"},
		"build arguments":        {append(one(good), "build_args", "no equals sign"), 422, "build_args", "Line 1"},
		"a virtual environment":  {append(one(good), "environment", "A=1\nno equals sign"), 422, "environment", "Line 2"},
		"a name too long": {append(one("FROM debian:bookworm\n"), "name", strings.Repeat("n", 101)), 422, "name",
			"100"},
		"a name that hides": {append(one("FROM debian:bookworm\n"), "name", "a\x1b[2Jb"), 422, "name", ""},
	}
}

// smallContexts is a configuration in which contexts are soon too large.
const smallContexts = "[limits]\ncontext = \"1 MiB\"\ncontext_entries = 10000"

func TestWhatIsNotTakenIsToldAtItsFieldAndNothingIsStored(t *testing.T) {
	s := newSite(t, smallContexts)
	program, browser := s.program(s.token(ada, "write")), s.browser(ada)
	for name, c := range rejected(t) {
		a := program.post("/jobs", c.fields...)
		p := a.json(t)
		if a.status != c.status || p["field"] != c.field ||
			!strings.Contains(fmt.Sprint(p["detail"], p["findings"]), c.says) {
			t.Errorf("%s, program: %d %s", name, a.status, a.body)
		}
		a = browser.post("/jobs", c.fields...)
		page := html.UnescapeString(a.body)
		id := map[string]string{"dockerfile": "text"}[c.field]
		if id == "" {
			id = c.field
		}
		if a.status != c.status || !strings.Contains(page, `id="`+id+`-fault" class="fault"`) ||
			!strings.Contains(page, c.says) {
			t.Errorf("%s, browser: %d %s", name, a.status, page)
		}
		if strings.Contains(a.body, s.dir) {
			t.Errorf("%s: the page tells where things lie", name)
		}
	}
	if got := s.stored(); got != "0 jobs, 0 revisions, 0 builds" {
		t.Error(got)
	}
}

func TestARejectedFormComesBackFilledIn(t *testing.T) {
	s := newSite(t)
	c := s.browser(ada)
	a := c.post("/jobs", "dockerfile:Dockerfile", "\n"+good, "context:my files.tar.gz", archive(t, "hello.txt", "hi"),
		"target", "nonsense", "name", `"><script>`, "build_args", "A=<b>", "start", "1")
	for _, want := range []string{html.EscapeString(good), "my files.tar.gz", `value="&#34;&gt;&lt;script&gt;"`,
		"A=&lt;b&gt;", `name="start" value="1">Build image<`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("%q is not in the form: %s", want, a.body)
		}
	}
	kept := regexp.MustCompile(`name="context_digest" value="([^"]+)"`).FindStringSubmatch(a.body)
	if kept == nil {
		t.Fatal("the context was not kept")
	}
	fields := []string{"text", good, "context:", "", "target", target, "context_digest", kept[1], "start", "1"}
	if a := c.post("/jobs", fields...); a.status != http.StatusSeeOther {
		t.Errorf("with the kept context: %d %s", a.status, a.body)
	}
	if a := c.post("/jobs", fields...); a.status != http.StatusSeeOther {
		t.Errorf("with it once more: %d", a.status)
	}
	if a := s.browser(bob).post("/jobs", fields...); a.status != 422 {
		t.Errorf("with another's context: %d", a.status)
	}
}

func TestCheckStoresNothing(t *testing.T) {
	s := newSite(t)
	program, browser := s.program(s.token(ada, "read")), s.browser(ada)
	fields := []string{"text", "FROM debian:bookworm\nRUN true\nRUNN x\n", "target", target}
	a := program.post("/jobs/check", fields...)
	found := a.json(t)["findings"].([]any)
	if a.status != 200 || len(found) == 0 || found[0].(map[string]any)["line"] != 3.0 {
		t.Errorf("%d %s", a.status, a.body)
	}
	a = program.post("/jobs/check", "text", good, "context:c.tgz", archive(t, "hello.txt", "hi"))
	if v := a.json(t); v["codename"] != "bookworm" || v["distribution"] != "debian" || v["steps"].(float64) < 2 {
		t.Errorf("%d %s", a.status, a.body)
	}
	a = browser.post("/jobs/check", fields...)
	if a.status != 200 || !strings.Contains(a.body, `class="finding error"`) || !strings.Contains(a.body, `href="#L3"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	a = browser.post("/jobs/check", "text", "FROM debian:bookworm\nRUN true\n", "target", target)
	if !strings.Contains(a.body, `href="`+s.prefix+`/help#NoCommand"`) {
		t.Errorf("no link to the help: %s", a.body)
	}
	if got := s.stored(); got != "0 jobs, 0 revisions, 0 builds" {
		t.Error(got)
	}
}

func TestAFormOutlivesItsSession(t *testing.T) {
	s := newSite(t)
	c := s.browser(ada)
	s.sql("UPDATE session SET expires_at = 1")
	a := c.post("/jobs", "dockerfile:Dockerfile", good, "context:files.tgz", archive(t, "hello.txt", "hi"), "target",
		target, "name", "kept name", "start", "1")
	login := a.header.Get("Location")
	if a.status != http.StatusSeeOther || !strings.HasPrefix(login, "/account/login?next=%2Fjobs%2Fnew%3Fdraft%3D") {
		t.Fatal(a.status, login)
	}
	form := c.get(login)
	next := html.UnescapeString(regexp.MustCompile(`name="next" value="([^"]+)"`).FindStringSubmatch(form.body)[1])
	if !strings.Contains(form.body, "is kept") {
		t.Error(form.body)
	}
	a = c.post("/account/login", "email", ada, "password", password, "next", next)
	page := c.get(a.header.Get("Location"))
	for _, want := range []string{"COPY hello.txt /srv/", "kept name", "files.tgz", "while you were logged out",
		`selected>`} {
		if !strings.Contains(page.body, want) {
			t.Errorf("%q is not in the form: %s", want, page.body)
		}
	}
	kept := regexp.MustCompile(`name="context_digest" value="([^"]+)"`).FindStringSubmatch(page.body)
	if a := c.post("/jobs", "text", good, "target", target, "context_digest", kept[1], "context:",
		""); a.status != http.StatusSeeOther {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.browser(bob).get(next); a.status != 200 || strings.Contains(a.body, "kept name") {
		t.Error("another person sees the form")
	}
}

func TestAChangeOutlivesItsSession(t *testing.T) {
	s := newSite(t)
	c := s.browser(ada)
	id := s.program(s.token(ada, "write")).addJob()
	s.sql("UPDATE session SET expires_at = 1")
	a := c.post("/jobs/"+id+"/update", "text", "FROM debian:bookworm\nRUN echo changed\n", "revision", "1", "context:", "")
	form := c.get(a.header.Get("Location"))
	next := html.UnescapeString(regexp.MustCompile(`name="next" value="([^"]+)"`).FindStringSubmatch(form.body)[1])
	if !strings.HasPrefix(next, "/jobs/"+id+"/update?draft=") {
		t.Fatal(next)
	}
	a = c.post("/account/login", "email", ada, "password", password, "next", next)
	page := c.get(a.header.Get("Location"))
	if page.status != 200 || !strings.Contains(page.body, "RUN echo changed") ||
		!strings.Contains(page.body, `name="revision" value="1"`) || !strings.Contains(page.body, "has a build context") {
		t.Errorf("%d %s", page.status, page.body)
	}
	s.sql("UPDATE session SET expires_at = 1")
	if a := c.post("/jobs/" + id + "/start"); a.header.Get("Location") != "/account/login?next=%2Fjobs%2F"+id {
		t.Errorf("a button: %v", a.header)
	}
}
