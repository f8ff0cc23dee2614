package cgibin

import (
	"bytes"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
)

func TestAProgramAddsAJob(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	a := c.post("/jobs", "dockerfile:Dockerfile", good, "context:c.tgz", archive(t, "hello.txt", "hi"), "target", target, "name", "mine", "build_args", "A=1\r\nB=2", "start", "1")
	j := a.json(t)
	id, _ := j["id"].(string)
	if a.status != http.StatusCreated || a.header.Get("Location") != "/jobs/"+id || j["name"] != "mine" || j["target"] != target || j["state"] != "queued" || j["enabled"] != true {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	j = c.get("/jobs/" + id).json(t)
	b := j["builds"].([]any)[0].(map[string]any)
	for _, name := range []string{"number", "state", "queued_at", "started_at", "ended_at", "step", "steps", "expected_end", "artifacts"} {
		if _, ok := b[name]; !ok {
			t.Errorf("a build has no %s: %v", name, b)
		}
	}
	if b["number"] != 1.0 || b["state"] != "queued" || b["queued_at"] == nil || b["ended_at"] != nil {
		t.Error(b)
	}
	list := c.get("/jobs").json(t)
	if list["total"] != 1.0 || list["jobs"].([]any)[0].(map[string]any)["id"] != id {
		t.Error(list)
	}
	if a := c.get("/jobs/" + id + "/dockerfile"); a.body != good || a.header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%q %v", a.body, a.header)
	}
	for _, path := range []string{"/blend", "/script"} {
		if a := c.get("/jobs/" + id + path); a.status != 200 || !strings.Contains(a.body, "TOASTER-STEP") && path == "/blend" || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %.300s", path, a.status, a.body)
		}
	}
}

func TestAPersonAddsAJob(t *testing.T) {
	s := newSite(t)
	c := s.browser(ada)
	if a := c.get("/jobs/new"); !strings.Contains(a.body, `<option value="`+target+`">`) || !strings.Contains(a.body, "<optgroup") {
		t.Fatal(a.body)
	}
	a := c.post("/jobs", "text", "FROM debian:bookworm\r\nRUN <<EOF\r\necho\r\nEOF\r\n", "target", target, "name", "", "dockerfile:", "", "context:", "")
	path := a.header.Get("Location")
	if a.status != http.StatusSeeOther || !regexp.MustCompile(`^/jobs/[a-z0-9]{12}\?note=added$`).MatchString(path) {
		t.Fatalf("%d %s %s", a.status, path, a.body)
	}
	job, _, _ := strings.Cut(path, "?")
	if a := c.get(job + "/dockerfile"); a.body != "FROM debian:bookworm\nRUN <<EOF\necho\nEOF\n" {
		t.Errorf("the browser's line ends stay: %q", a.body)
	}
	a = c.get(path)
	if a.status != 200 || !strings.Contains(a.body, `id="L4"`) || !strings.Contains(a.body, "The job is stored.") || !strings.Contains(a.body, target) {
		t.Errorf("%d %s", a.status, a.body)
	}
	a = c.post("/jobs", "text", good[:20]+"\n", "target", target, "start", "1")
	if a.status != http.StatusSeeOther || !strings.HasSuffix(a.header.Get("Location"), "/builds/1") {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
}

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
		"no file":             {[]string{"target", target}, 422, "dockerfile", "There is no Dockerfile"},
		"an empty file":       {one(""), 422, "dockerfile", "no Dockerfile"},
		"white space":         {one(" \n\n"), 422, "dockerfile", "empty"},
		"64 KiB + 1":          {one("FROM debian:bookworm\n#" + strings.Repeat("x", 64<<10-21)), 413, "dockerfile", "64 KiB"},
		"much too large":      {one(strings.Repeat("x", 1<<20)), 413, "dockerfile", ""},
		"not UTF-8":           {one("FROM debian:bookworm\nRUN echo \xff\n"), 422, "dockerfile", "Line 2"},
		"a NUL":               {one("FROM debian:bookworm\nRUN echo \x00\n"), 422, "dockerfile", "Line 2"},
		"a syntax error":      {one("FROM debian:bookworm\nRUNN true\n"), 422, "dockerfile", "RUN"},
		"no FROM":             {one("RUN true\n"), 422, "dockerfile", ""},
		"an unknown target":   {[]string{"dockerfile:Dockerfile", good, "target", "vm_z80_potato"}, 422, "target", "vm_z80_potato"},
		"no target":           {[]string{"dockerfile:Dockerfile", good}, 422, "target", ""},
		"a target that's off": {[]string{"dockerfile:Dockerfile", good, "target", "rootfs_i386_daedalus"}, 422, "target", "rootfs_i386_daedalus"},
		"no archive":          {with("this is no archive"), 422, "context", ""},
		"a hostile archive":   {with(archive(t, "../../etc/passwd", "x")), 422, "context", "../../etc/passwd"},
		"a large archive":     {with(strings.Repeat("x", 1<<20+1)), 413, "context", "1 MiB"},
		"a missing source":    {with(archive(t, "other.txt", "x")), 422, "dockerfile", "hello.txt"},
		"build arguments":     {append(one(good), "build_args", "no equals sign"), 422, "build_args", "Line 1"},
		"a name too long":     {append(one("FROM debian:bookworm\n"), "name", strings.Repeat("n", 101)), 422, "name", "100"},
		"a name that hides":   {append(one("FROM debian:bookworm\n"), "name", "a\x1b[2Jb"), 422, "name", ""},
	}
}

func TestWhatIsNotTakenIsToldAtItsFieldAndNothingIsStored(t *testing.T) {
	s := newSite(t)
	program, browser := s.program(s.token(ada, "write")), s.browser(ada)
	for name, c := range rejected(t) {
		a := program.post("/jobs", c.fields...)
		p := a.json(t)
		if a.status != c.status || p["field"] != c.field || !strings.Contains(fmt.Sprint(p["detail"], p["findings"]), c.says) {
			t.Errorf("%s, program: %d %s", name, a.status, a.body)
		}
		a = browser.post("/jobs", c.fields...)
		page := html.UnescapeString(a.body)
		id := map[string]string{"dockerfile": "text"}[c.field]
		if id == "" {
			id = c.field
		}
		if a.status != c.status || !strings.Contains(page, `id="`+id+`-fault" class="fault"`) || !strings.Contains(page, c.says) {
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
	a := c.post("/jobs", "dockerfile:Dockerfile", "\n"+good, "context:my files.tar.gz", archive(t, "hello.txt", "hi"), "target", "nonsense", "name", `"><script>`, "build_args", "A=<b>", "start", "1")
	for _, want := range []string{html.EscapeString(good), "my files.tar.gz", `value="&#34;&gt;&lt;script&gt;"`, "A=&lt;b&gt;", `value="1" checked`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("%q is not in the form: %s", want, a.body)
		}
	}
	kept := regexp.MustCompile(`name="kept" value="([^"]+)"`).FindStringSubmatch(a.body)
	if kept == nil {
		t.Fatal("the context was not kept")
	}
	fields := []string{"text", good, "context:", "", "target", target, "kept", kept[1], "start", "1"}
	if a := c.post("/jobs", fields...); a.status != http.StatusSeeOther {
		t.Errorf("with the kept context: %d %s", a.status, a.body)
	}
	if a := c.post("/jobs", fields...); a.status != 422 || !strings.Contains(a.body, "context-fault") {
		t.Errorf("with a context that was used already: %d", a.status)
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

func TestStartTwiceIsOneBuild(t *testing.T) {
	s := newSite(t)
	program, browser := s.program(s.token(ada, "write")), s.browser(ada)
	id := program.addJob()
	a := program.post("/jobs/" + id + "/start")
	if v := a.json(t); a.status != http.StatusAccepted || v["number"] != 1.0 || v["already"] != false || a.header.Get("Location") != "/jobs/"+id+"/builds/1" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if v := program.post("/jobs/" + id + "/start").json(t); v["number"] != 1.0 || v["already"] != true {
		t.Error(v)
	}
	a = browser.post("/jobs/" + id + "/start")
	if a.status != http.StatusSeeOther || a.header.Get("Location") != "/jobs/"+id+"/builds/1?note=already" {
		t.Error(a.status, a.header)
	}
	if page := browser.get(a.header.Get("Location")); !strings.Contains(page.body, "queued already") {
		t.Error(page.body)
	}
	if got := s.stored(); got != "1 jobs, 1 revisions, 1 builds" {
		t.Error(got)
	}
}

func TestManyStartsAtOnceAreOneBuild(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	id := c.addJob()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			d := *c
			if a := d.post("/jobs/" + id + "/start"); a.status != http.StatusAccepted {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	all.Wait()
	if got := s.stored(); got != "1 jobs, 1 revisions, 1 builds" {
		t.Error(got)
	}
}

func TestStopSwitchOffAndRemove(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	id := c.addJob("start", "1")
	if a := c.post("/jobs/" + id + "/stop"); a.status != http.StatusAccepted || a.json(t)["state"] != "aborted" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := c.post("/jobs/" + id + "/disable"); a.status != 200 || a.json(t)["enabled"] != false {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := c.post("/jobs/" + id + "/start"); a.status != http.StatusConflict {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := c.post("/jobs/" + id + "/enable"); a.status != 200 || a.json(t)["enabled"] != true {
		t.Errorf("%d %s", a.status, a.body)
	}
	browser := s.browser(ada)
	if a := browser.get("/jobs/" + id + "/remove"); a.status != 200 || !strings.Contains(a.body, "can&#39;t be undone") && !strings.Contains(a.body, "can't be undone") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := browser.post("/jobs/" + id + "/remove"); a.status != http.StatusSeeOther || a.header.Get("Location") != "/jobs?note=removed" {
		t.Error(a.status, a.header)
	}
	if a := browser.get("/jobs/" + id); a.status != 404 {
		t.Error(a.status)
	}
}

func TestAnotherPersonsJobIsNotThere(t *testing.T) {
	s := newSite(t)
	id := s.program(s.token(ada, "write")).addJob("start", "1")
	before := s.stored()
	program, browser := s.program(s.token(bob, "write")), s.browser(bob)
	there, missing := "/jobs/"+id, "/jobs/"+strings.Repeat("z", len(id))
	for _, path := range []string{"", "/update", "/remove", "/dockerfile", "/blend", "/script", "/builds/1", "/builds/1/log", "/builds/1/log?whole=1", "/builds/1/artifacts/x", "/builds/0", "/builds/x", "/dockerfile?revision=1"} {
		a, b := browser.get(there+path), browser.get(missing+path)
		if a.status != 404 || b.status != 404 || program.get(there+path).status != 404 {
			t.Errorf("GET %s: %d, %d", path, a.status, b.status)
		}
		ids := regexp.MustCompile(`[0-9a-f]{16}`)
		if ids.ReplaceAllString(a.body, "") != ids.ReplaceAllString(b.body, "") {
			t.Errorf("GET %s tells that the job is there", path)
		}
	}
	for _, path := range []string{"/start", "/stop", "/enable", "/disable", "/update", "/remove"} {
		if a := program.post(there+path, "text", good, "revision", "1"); a.status != 404 {
			t.Errorf("POST %s: %d %s", path, a.status, a.body)
		}
	}
	if after := s.stored(); after != before {
		t.Errorf("%s became %s", before, after)
	}
	if n := program.get("/jobs").json(t)["total"]; n != 0.0 {
		t.Error(n)
	}
}

func TestAChangeIsARevision(t *testing.T) {
	s := newSite(t)
	c := s.browser(ada)
	id := s.program(s.token(ada, "write")).addJob("name", "mine")
	form := c.get("/jobs/" + id + "/update")
	if form.status != 200 || !strings.Contains(form.body, `name="revision" value="1"`) || !strings.Contains(form.body, "COPY hello.txt") {
		t.Fatal(form.body)
	}
	changed := strings.Replace(good, "echo hello", "echo changed", 1)
	a := c.post("/jobs/"+id+"/update", "text", changed, "revision", "1", "name", "renamed", "context:", "")
	if a.status != http.StatusSeeOther || a.header.Get("Location") != "/jobs/"+id+"?note=updated" {
		t.Fatal(a.status, a.body)
	}
	if page := c.get("/jobs/" + id).body; !strings.Contains(page, "renamed") || !strings.Contains(page, "With a build context") {
		t.Error(page)
	}
	if a := c.get("/jobs/" + id + "/dockerfile?revision=1"); a.body != good {
		t.Error(a.body)
	}
	t.Run("a stale form", func(t *testing.T) {
		a := c.post("/jobs/"+id+"/update", "text", "FROM debian:bookworm\nRUN echo mine\n", "revision", "1", "context:", "")
		page := html.UnescapeString(a.body)
		if a.status != http.StatusConflict || !strings.Contains(page, "echo changed") || !strings.Contains(page, "echo mine") || !strings.Contains(page, `name="revision" value="2"`) {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if now := c.get("/jobs/" + id + "/dockerfile"); now.body != changed {
			t.Error(now.body)
		}
	})
}

func TestAFormOutlivesItsSession(t *testing.T) {
	s := newSite(t)
	c := s.browser(ada)
	s.sql("UPDATE session SET expires_at = 1")
	a := c.post("/jobs", "dockerfile:Dockerfile", good, "context:files.tgz", archive(t, "hello.txt", "hi"), "target", target, "name", "kept name", "start", "1")
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
	for _, want := range []string{"COPY hello.txt /srv/", "kept name", "files.tgz", "when your session had run out", `selected>`} {
		if !strings.Contains(page.body, want) {
			t.Errorf("%q is not in the form: %s", want, page.body)
		}
	}
	kept := regexp.MustCompile(`name="kept" value="([^"]+)"`).FindStringSubmatch(page.body)
	if a := c.post("/jobs", "text", good, "target", target, "kept", kept[1], "context:", ""); a.status != http.StatusSeeOther {
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
	if page.status != 200 || !strings.Contains(page.body, "RUN echo changed") || !strings.Contains(page.body, `name="revision" value="1"`) || !strings.Contains(page.body, "has a build context") {
		t.Errorf("%d %s", page.status, page.body)
	}
	s.sql("UPDATE session SET expires_at = 1")
	if a := c.post("/jobs/" + id + "/start"); a.header.Get("Location") != "/account/login?next=%2Fjobs%2F"+id {
		t.Errorf("a button: %v", a.header)
	}
}

func TestTheListIsPaged(t *testing.T) {
	s := newSite(t)
	c := s.browser(ada)
	for i := range 30 {
		s.sql("INSERT INTO job (id, person_id, name, target, engine_name, revision, created_at) VALUES (?, 1, ?, ?, ?, 1, ?)", fmt.Sprintf("aaaaaaaaaa%02d", i), fmt.Sprintf("job number %d", i), target, fmt.Sprint("e", i), i)
	}
	first, second := c.get("/jobs").body, c.get("/jobs?page=2").body
	if strings.Count(first, "job number") != 25 || !strings.Contains(first, "job number 29<") || !strings.Contains(first, `href="/jobs?page=2"`) {
		t.Error(first)
	}
	if strings.Count(second, "job number") != 5 || !strings.Contains(second, `href="/jobs" rel="prev"`) {
		t.Error(second)
	}
	for _, page := range []string{"0", "-1", "x", "99999999999999999999", "3"} {
		if a := c.get("/jobs?page=" + page); a.status != 200 {
			t.Errorf("page %s: %d", page, a.status)
		}
	}
	if len(first) > 20<<10 {
		t.Errorf("the list has %d bytes", len(first))
	}
}

func TestAFullListOfJobsSaysSo(t *testing.T) {
	s := newSite(t, "[limits]\njobs = 1")
	c := s.browser(ada)
	fields := []string{"text", "FROM debian:bookworm\nRUN true\n", "target", target}
	c.post("/jobs", fields...)
	a := c.post("/jobs", fields...)
	if a.status != http.StatusTooManyRequests || !strings.Contains(a.body, "your limit") || !strings.Contains(a.body, "RUN true") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if !bytes.Contains([]byte(s.stored()), []byte("1 jobs")) {
		t.Error(s.stored())
	}
}
