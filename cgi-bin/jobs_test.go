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
	a := c.post("/jobs", "dockerfile:Dockerfile", good, "context:c.tgz", archive(t, "hello.txt", "hi"), "target", target,
		"name", "mine", "build_args", "A=1\r\nB=2", "start", "1")
	j := a.json(t)
	id, _ := j["id"].(string)
	if a.status != http.StatusCreated || a.header.Get("Location") != "/jobs/"+id || j["name"] != "mine" ||
		j["target"] != target || j["state"] != "queued" || j["enabled"] != true {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	j = c.get("/jobs/" + id).json(t)
	b := j["builds"].([]any)[0].(map[string]any)
	for _, name := range []string{"number", "state", "queued_at", "started_at", "ended_at", "step", "steps",
		"expected_end", "artifacts"} {
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
	if a := c.get("/jobs/" + id + "/dockerfile"); a.body != good ||
		a.header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%q %v", a.body, a.header)
	}
	for _, path := range []string{"/blend", "/script"} {
		if a := c.get("/jobs/" + id + path); a.status != 200 || !strings.Contains(a.body, "TOASTER-STEP") &&
			path == "/blend" || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %.300s", path, a.status, a.body)
		}
	}
}

func TestAPersonAddsAJob(t *testing.T) {
	s := newSite(t)
	c := s.browser(ada)
	if a := c.get("/jobs/new"); !strings.Contains(a.body, `<option value="`+target+`">`) ||
		!strings.Contains(a.body, "<optgroup") {
		t.Fatal(a.body)
	}
	a := c.post("/jobs", "text", "FROM debian:bookworm\r\nRUN <<EOF\r\necho\r\nEOF\r\n", "target", target, "name", "",
		"dockerfile:", "", "context:", "")
	path := a.header.Get("Location")
	if a.status != http.StatusSeeOther || !regexp.MustCompile(`^/jobs/[a-z0-9]{12}\?note=added$`).MatchString(path) {
		t.Fatalf("%d %s %s", a.status, path, a.body)
	}
	job, _, _ := strings.Cut(path, "?")
	if a := c.get(job + "/dockerfile"); a.body != "FROM debian:bookworm\nRUN <<EOF\necho\nEOF\n" {
		t.Errorf("the browser's line ends stay: %q", a.body)
	}
	a = c.get(path)
	if a.status != 200 || !strings.Contains(a.body, `id="L4"`) || !strings.Contains(a.body, "The job is saved.") ||
		!strings.Contains(a.body, target) {
		t.Errorf("%d %s", a.status, a.body)
	}
	a = c.post("/jobs", "text", good[:20]+"\n", "target", target, "start", "1")
	if a.status != http.StatusSeeOther || !strings.HasSuffix(a.header.Get("Location"), "/builds/1") {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
}

func TestStartTwiceIsOneBuild(t *testing.T) {
	s := newSite(t)
	program, browser := s.program(s.token(ada, "write")), s.browser(ada)
	id := program.addJob()
	a := program.post("/jobs/" + id + "/start")
	if v := a.json(t); a.status != http.StatusAccepted || v["number"] != 1.0 || v["already"] != false ||
		a.header.Get("Location") != "/jobs/"+id+"/builds/1" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if v := program.post("/jobs/" + id + "/start").json(t); v["number"] != 1.0 || v["already"] != true {
		t.Error(v)
	}
	a = browser.post("/jobs/" + id + "/start")
	if a.status != http.StatusSeeOther || a.header.Get("Location") != "/jobs/"+id+"/builds/1?note=already" {
		t.Error(a.status, a.header)
	}
	if page := browser.get(a.header.Get("Location")); !strings.Contains(page.body, "already has a queued build") {
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
	if a := browser.get("/jobs/" + id + "/remove"); a.status != 200 || !strings.Contains(a.body, "can&#39;t be undone") &&
		!strings.Contains(a.body, "can't be undone") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := browser.post("/jobs/" + id + "/remove"); a.status != http.StatusSeeOther ||
		a.header.Get("Location") != "/jobs?note=removed" {
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
	for _, path := range []string{"", "/update", "/remove", "/dockerfile", "/blend", "/script", "/builds/1",
		"/builds/1/log", "/builds/1/log?whole=1", "/builds/1/artifacts/x", "/builds/0", "/builds/x",
		"/dockerfile?revision=1"} {
		a, b := browser.get(there+path), browser.get(missing+path)
		if a.status != 404 || b.status != 404 || program.get(there+path).status != 404 {
			t.Errorf("GET %s: %d, %d", path, a.status, b.status)
		}
		ids := regexp.MustCompile(`[0-9a-f]{16}|name="once" value="[^"]+"`)
		if ids.ReplaceAllString(a.body, "") != ids.ReplaceAllString(b.body, "") {
			t.Errorf("GET %s tells that the job is there", path)
		}
	}
	for _, path := range []string{"/start", "/stop", "/enable", "/disable", "/update", "/remove"} {
		fields := map[string][]string{"/update": {"text", good, "revision", "1"}}[path]
		if a := program.post(there+path, fields...); a.status != 404 {
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
	if form.status != 200 || !strings.Contains(form.body, `name="revision" value="1"`) ||
		!strings.Contains(form.body, "COPY hello.txt") {
		t.Fatal(form.body)
	}
	changed := strings.Replace(good, "echo hello", "echo changed", 1)
	a := c.post("/jobs/"+id+"/update", "text", changed, "revision", "1", "name", "renamed", "context:", "")
	if a.status != http.StatusSeeOther || a.header.Get("Location") != "/jobs/"+id+"?note=updated" {
		t.Fatal(a.status, a.body)
	}
	if page := c.get("/jobs/" + id).body; !strings.Contains(page, "renamed") ||
		!strings.Contains(page, "Build context: ") {
		t.Error(page)
	}
	if a := c.get("/jobs/" + id + "/dockerfile?revision=1"); a.body != good {
		t.Error(a.body)
	}
	t.Run("a stale form", func(t *testing.T) {
		a := c.post("/jobs/"+id+"/update", "text", "FROM debian:bookworm\nRUN echo mine\n", "revision", "1", "context:", "")
		page := html.UnescapeString(a.body)
		if a.status != http.StatusConflict || !strings.Contains(page, "echo changed") ||
			!strings.Contains(page, "echo mine") || !strings.Contains(page, `name="revision" value="2"`) {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if now := c.get("/jobs/" + id + "/dockerfile"); now.body != changed {
			t.Error(now.body)
		}
	})
}

func TestTheListIsPaged(t *testing.T) {
	s := newSite(t)
	c := s.browser(ada)
	for i := range 30 {
		s.sql("INSERT INTO job (id, user_id, name, target, engine_name, revision, created_at) VALUES (?, 1, ?, ?, ?, 1, ?)",
			fmt.Sprintf("aaaaaaaaaa%02d", i), fmt.Sprintf("job number %d", i), target, fmt.Sprint("e", i), i)
	}
	first, second := c.get("/jobs").body, c.get("/jobs?page=2").body
	if strings.Count(first, "job number") != 25 || !strings.Contains(first, "job number 29<") ||
		!strings.Contains(first, `href="/jobs?page=2"`) {
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
	if a.status != http.StatusForbidden || !strings.Contains(a.body, "Your limit is") ||
		!strings.Contains(a.body, "RUN true") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if !bytes.Contains([]byte(s.stored()), []byte("1 jobs")) {
		t.Error(s.stored())
	}
}
