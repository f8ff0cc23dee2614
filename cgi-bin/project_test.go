package cgibin

import (
	"archive/zip"
	"bytes"
	"html"
	"net/http"
	"strings"
	"testing"
)

// zipArchive is a ZIP: names and contents in turn.
func zipArchive(t *testing.T, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte(files[i+1]))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestAProjectsArchiveIsAJob: a forge's download, sent as it is, by a program and by a browser.
func TestAProjectsArchiveIsAJob(t *testing.T) {
	s := newSite(t)
	program, c := s.program(s.token(ada, "write")), s.browser(ada)
	project := zipArchive(t, "app-main/", "", "app-main/Dockerfile", good, "app-main/hello.txt", "hi")
	a := program.post("/jobs", "context:app-main.zip", project, "target", target)
	id, _ := a.json(t)["id"].(string)
	if a.status != http.StatusCreated {
		t.Fatal(a.status, a.body)
	}
	if a := program.get("/jobs/" + id + "/dockerfile"); a.body != good {
		t.Errorf("its Dockerfile is %q", a.body)
	}
	if a := program.get("/jobs/" + id + "/script"); a.status != 200 {
		t.Errorf("no script: %d %.300s", a.status, a.body)
	}
	if a := c.get("/jobs/" + id); !strings.Contains(a.body, "the folder") || !strings.Contains(a.body, "app-main") {
		t.Error("the page doesn't say that a folder of the archive is the context")
	}
	if a := c.post("/jobs", "text", "", "dockerfile:", "", "context:app-main.zip", project, "target",
		target); a.status != http.StatusSeeOther {
		t.Errorf("a browser: %d %s", a.status, a.body)
	}
	if a := program.post("/jobs/check", "context:app-main.zip", project); a.status != 200 || a.json(t)["steps"] == 0.0 {
		t.Errorf("the check: %d %s", a.status, a.body)
	}

	several := archive(t, "Dockerfile", good, "Containerfile", "FROM debian:bookworm\n", "hello.txt", "hi")
	a = program.post("/jobs", "context:x.tgz", several, "target", target)
	if p := a.json(t); a.status != 422 || p["field"] != "dockerfile_path" ||
		!strings.Contains(p["detail"].(string), "Containerfile, Dockerfile") {
		t.Errorf("several: %d %s", a.status, a.body)
	}
	a = c.post("/jobs", "text", "", "context:x.tgz", several, "target", target)
	if a.status != 422 || !strings.Contains(a.body, `name="dockerfile_path"`) ||
		!strings.Contains(a.body, "Containerfile, Dockerfile") {
		t.Errorf("a browser, several: %d %s", a.status, a.body)
	}
	if a = program.post("/jobs", "context:x.tgz", several, "target", target, "dockerfile_path",
		"Containerfile"); a.status != 201 && a.status != 429 && a.status != 403 {
		t.Errorf("the one that was asked for: %d %s", a.status, a.body)
	}
	a = program.post("/jobs/check", "context:x.tgz", archive(t, "docker/my file", good, "hello.txt", "hi"),
		"dockerfile_path", "docker/my file")
	if docker, _ := a.json(t)["docker_build"].(string); !strings.Contains(docker, `-f 'docker/my file'`) ||
		!strings.HasSuffix(docker, " .") {
		t.Errorf("docker build is shown as %q", docker)
	}
	if a = program.post("/jobs", "context:x.tgz", archive(t, "hello.txt", "hi"), "target", target); a.status != 422 ||
		a.json(t)["field"] != "dockerfile" {
		t.Errorf("none: %d %s", a.status, a.body)
	}
}

// TestWhatIsSentInPlaceOfADockerfileIsNamed, with what to do next, in the reader's language.
func TestWhatIsSentInPlaceOfADockerfileIsNamed(t *testing.T) {
	s := newSite(t)
	program, c := s.program(s.token(ada, "write")), s.browser(ada)
	for file, want := range map[string][2]string{
		"services:\n  web:\n    build: .\n":                              {"Compose file", "build:"},
		"\x89PNG\r\n\x1a\n\x00\x00":                                      {"picture (PNG)", "begins with FROM"},
		"\xff\xd8\xff\xe0" + strings.Repeat("\x00", 1<<20):               {"picture (JPEG)", "begins with FROM"},
		zipArchive(t, "Dockerfile", good):                                {"archive (ZIP)", "build context"},
		"\xff\xfeF\x00R\x00O\x00M\x00":                                   {"UTF-16", "UTF-8"},
		"# Title\n\nSome words, and more of them.\n\n```\nFROM x\n```\n": {"Markdown", "```"},
		"#!/bin/sh\necho\n":                                              {"shell script", "RUN"},
	} {
		a := program.post("/jobs", "dockerfile:x", file, "target", target)
		p := a.json(t)
		if a.status != 422 || p["field"] != "dockerfile" || !strings.Contains(p["detail"].(string), want[0]) ||
			!strings.Contains(p["advice"].(string), want[1]) {
			t.Errorf("%.40q: %d %s", file, a.status, a.body)
		}
		if a := c.post("/jobs", "dockerfile:x", file, "target", target); a.status != 422 ||
			!strings.Contains(html.UnescapeString(a.body), want[0]) {
			t.Errorf("%.40q: %d", file, a.status)
		}
		if a := c.with("Accept-Language", "de").post("/jobs", "dockerfile:x", file, "target",
			target); !strings.Contains(a.body, "kein Dockerfile") {
			t.Errorf("%.40q: not in German", file)
		}
	}
}

// TestTheCommandForAContainerSendsTheContext wherever COPY needs one, also before one was sent.
func TestTheCommandForAContainerSendsTheContext(t *testing.T) {
	s := newSite(t)
	program := s.program(s.token(ada, "write"))
	for text, want := range map[string]string{
		good:                               "docker build --platform linux/amd64 --build-arg 'A=it'\\''s $x' .",
		"FROM debian:bookworm\nRUN true\n": "docker build --platform linux/amd64 --build-arg 'A=it'\\''s $x' - < Dockerfile",
	} {
		got := program.post("/jobs/check", "text", text, "target", target, "build_args",
			"A=it's $x\n\n").json(t)["docker_build"]
		if got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	id := program.addJob()
	if a := s.browser(ada).get("/jobs/" + id); !strings.Contains(a.body, "docker build --platform linux/amd64") ||
		strings.Contains(a.body, "- &lt; Dockerfile") {
		t.Error(a.body)
	}
}

// TestNoLimitForAPersonIsAccepted for every limit, and said.
func TestNoLimitForAPersonIsAccepted(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	const path = "/admin/people/1"
	if a := c.post(path+"/limits", "jobs", "0", "concurrent_builds", "0", "builds_per_day", "0", "build_minutes", "0",
		"artifact_bytes", "0", "keep_days", "0"); a.status != http.StatusSeeOther {
		t.Fatal(a.status, a.body)
	}
	if a := c.get(path); !strings.Contains(a.body, "0 means unlimited") || strings.Count(a.body, `value="0`) != 6 {
		t.Error(a.body)
	}
	if a := s.browser(ada).get("/account"); !strings.Contains(a.body, "unlimited") {
		t.Error(a.body)
	}
}

// TestTheTrailSaysWho by address, and finds people by it, also when they are removed.
func TestTheTrailSaysWho(t *testing.T) {
	s := newSite(t)
	s.browser(bob)
	c := s.admin()
	c.post("/admin/people/2/suspend")
	trail := c.get("/admin/audit?object=" + bob)
	for _, want := range []string{bob + " (user 2)", "user.state", ">" + eve + " (user 3)"} {
		if !strings.Contains(trail.body, want) {
			t.Errorf("the trail lacks %q: %s", want, trail.body)
		}
	}
	c.post("/admin/people/2/remove")
	if trail = c.get("/admin/audit?action=user.remove"); !strings.Contains(trail.body, bob+" (user 2)") {
		t.Errorf("nobody knows who was removed: %s", trail.body)
	}
	if trail = c.get("/admin/audit?actor=" + eve); !strings.Contains(trail.body, "user.state") {
		t.Errorf("by address nothing is found: %s", trail.body)
	}
}
