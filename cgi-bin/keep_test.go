package cgibin

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	app "toaster.do/lib/app"
)

// syncs removes what is kept no longer, as cron's sync does.
func (s *site) syncs() {
	s.t.Helper()
	service, err := app.Service(s.cfg, s.db, slog.New(slog.DiscardHandler))
	s.must(err)
	s.must(service.Expire(context.Background()))
}

const (
	succeeds = "echo fine; mkdir dist; echo image >dist/image"
	fails    = "echo sorry; exit 1"
)

// builds runs a build of the job for each of the scripts, and what is kept no longer goes.
func (c *client) builds(id string, scripts ...string) {
	c.t.Helper()
	for _, script := range scripts {
		b := c.post("/jobs/" + id + "/start").json(c.t)
		c.run(c, id, int(b["number"].(float64)), script)
		c.syncs()
	}
}

func TestTheLastGoodImageOutlivesFailures(t *testing.T) {
	s := newSite(t, "[local]\nkeep = 2")
	c := s.program(s.token(ada, "write"))
	id := c.addJob()
	if a := c.get("/jobs/" + id + "/builds/latest/artifacts/image"); a.status != 404 ||
		!strings.Contains(a.body, "has succeeded yet") {
		t.Errorf("before the first: %d %s", a.status, a.body)
	}
	c.builds(id, succeeds, fails, fails, fails, fails)
	for path, want := range map[string]string{"/builds/1/artifacts/image": "image\n",
		"/builds/latest/artifacts/image": "image\n",
		"/builds/1/log":                  "fine\n", "/builds/latest/log": "sorry\n"} {
		if a := c.get("/jobs/" + id + path); a.status != 200 || a.body != want {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if b := c.get("/jobs/" + id + "/builds/latest").json(t); b["number"] != 5.0 || b["kept"] != false {
		t.Error(b)
	}
	page := s.browser(ada)
	for path, want := range map[string]string{
		"/builds/1": "2 newer builds of this job succeed.", "/builds/4": "the next build of this job fails.",
		"": "the newest 2 successful builds and of the newest 2 other builds are kept",
	} {
		if a := page.get("/jobs/" + id + path); a.status != 200 || !strings.Contains(a.body, want) {
			t.Errorf("%s does not say %q: %d %s", path, want, a.status, a.body)
		}
	}
	for _, path := range []string{"/builds/2", "/builds/2/log", "/builds/2/log?whole=1", "/builds/2/log?as=html",
		"/builds/3/artifacts/image"} {
		const why = "the newest 2 successful builds and the newest 2 other builds are kept."
		a := c.get("/jobs/" + id + path)
		if problem := a.json(t); a.status != 410 || problem["code"] != "gone" ||
			!strings.HasSuffix(problem["detail"].(string), why) || problem["advice"] == "" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		if a := page.get("/jobs/" + id + path); a.status != 410 || !strings.Contains(a.body, why) ||
			strings.Contains(a.body, "Keep this build") {
			t.Errorf("%s for a browser: %d %s", path, a.status, a.body)
		}
	}
	if b := c.get("/jobs/" + id + "/builds/2").json(t)["build"].(map[string]any); b["state"] != "failed" ||
		b["number"] != 2.0 {
		t.Errorf("what is still known: %v", b)
	}
}

func TestKeepThisBuild(t *testing.T) {
	s := newSite(t, "[local]\nkeep = 1")
	c, page := s.program(s.token(ada, "write")), s.browser(ada)
	id := c.addJob()
	c.builds(id, succeeds)
	path := "/jobs/" + id + "/builds/1"
	if a := page.get(path); !strings.Contains(a.body, `action="`+path+`/keep"`) {
		t.Fatal(a.body)
	}
	kept := page.post(path + "/keep")
	if kept.status != 303 || !strings.HasSuffix(kept.header.Get("Location"), path+"?note=kept") {
		t.Fatal(kept.status, kept.header)
	}
	if a := page.get(path); !strings.Contains(a.body, "Permanently.") ||
		!strings.Contains(a.body, `action="`+path+`/unkeep"`) {
		t.Error(a.body)
	}
	if a := page.get("/jobs/" + id); !strings.Contains(a.body, "kept permanently") {
		t.Error(a.body)
	}
	c.builds(id, succeeds, fails, succeeds)
	s.sql("UPDATE build SET ended_at = 1, queued_at = 1")
	s.syncs()
	if a := c.get(path + "/artifacts/image"); a.status != 200 || a.body != "image\n" {
		t.Errorf("the kept image: %d %s", a.status, a.body)
	}
	if b := c.get(path).json(t); b["kept"] != true {
		t.Error(b)
	}
	if b := c.post(path + "/unkeep"); b.status != 200 || b.json(t)["kept"] != false {
		t.Errorf("%d %s", b.status, b.body)
	}
	s.syncs()
	if a := c.get(path + "/artifacts/image"); a.status != 410 {
		t.Errorf("the image that was let go: %d %s", a.status, a.body)
	}
	if a := c.post(path + "/keep"); a.status != 410 || a.json(t)["code"] != "gone" {
		t.Errorf("keeping what is gone: %d %s", a.status, a.body)
	}
}

// What somebody has removed from the disk was not removed by a limit.
func TestFilesThatSomebodyRemoved(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	id := c.addJob()
	c.builds(id, succeeds)
	folders, err := filepath.Glob(s.cfg.Paths.Builds + "/ada*/1")
	if err != nil || len(folders) != 1 {
		t.Fatal(folders, err)
	}
	s.must(os.RemoveAll(folders[0]))
	page := s.browser(ada)
	for _, path := range []string{"/log", "/artifacts/image"} {
		a := c.get("/jobs/" + id + "/builds/1" + path)
		if a.status != 410 || !strings.Contains(a.body, "were deleted on the build service") ||
			strings.Contains(a.body, "newest") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := page.get("/jobs/" + id + "/builds/1"); a.status != 410 ||
		!strings.Contains(a.body, "were deleted on the build service") ||
		strings.Contains(a.body, "/artifacts/image\"") {
		t.Errorf("%d %s", a.status, a.body)
	}
}
