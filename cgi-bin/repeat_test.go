package cgibin

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/engine"
	"toaster.do/lib/engine/local"
)

// runner is a runner of the site that builds with a script of the test's, until the function that it returns is called.
func (s *site) runner(script string) (shutDown func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	r := local.Runner{DB: s.db, Executor: local.Executor{
		Make: func(engine.Source) (engine.Made, error) { return engine.Made{Script: []byte(script)}, nil },
		Dir:  s.cfg.Paths.Builds, WorkDir: s.dir + "/work", Concurrency: 1, Log: slog.New(slog.DiscardHandler),
	}}
	go func() { ended <- r.Run(ctx) }()
	return func() {
		cancel()
		s.must(<-ended)
	}
}

// reaches waits until a build is in a state.
func (c *client) reaches(id string, number int, state string) map[string]any {
	c.t.Helper()
	var b map[string]any
	for range 600 {
		c.sql("UPDATE job SET seen_at = 0") // as if the last look was long ago
		if b = c.get(fmt.Sprintf("/jobs/%s/builds/%d", id, number)).json(c.t); b["state"] == state {
			return b
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.t.Fatalf("build %d is %v, not %s", number, b, state)
	return nil
}

func TestARestartOfTheRunnerLosesNoWish(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	id := c.addJob("start", "1")
	shutDown := s.runner("echo begun; sleep 600")
	c.reaches(id, 1, "running")
	shutDown()
	if b := c.reaches(id, 1, "lost"); b["reason"] != "The runner was shut down during this build." ||
		b["repeated_by"] != 2.0 {
		t.Errorf("%v", b)
	}
	defer s.runner("mkdir dist; echo image >dist/image")()
	if b := c.reaches(id, 2, "succeeded"); b["repeats"] != 1.0 || b["repeated_by"] != nil {
		t.Errorf("%v", b)
	}
	page := s.browser(ada)
	for path, want := range map[string]string{
		"/builds/1": `The build was interrupted and queued again: <a href="/jobs/` + id + `/builds/2">build 2</a>.`,
		"/builds/2": `This build replaces an interrupted one: <a href="/jobs/` + id + `/builds/1">build 1</a>.`,
	} {
		if a := page.get("/jobs/" + id + path); !strings.Contains(a.body, want) {
			t.Errorf("%s does not say %q: %s", path, want, a.body)
		}
	}
}
