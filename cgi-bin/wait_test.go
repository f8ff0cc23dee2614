package cgibin

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/engine"
	"toaster.do/lib/engine/local"
)

// waiting sends a request that waits, and returns when that is counted.
func (s *site) waiting(c *client, path string) <-chan *answer {
	s.t.Helper()
	db, answered := s.open(), make(chan *answer, 1)
	defer db.Close()
	go func() { answered <- c.get(path) }()
	for range 600 {
		var n int
		s.must(db.QueryRow("SELECT count(*) FROM rate_limit_event WHERE key LIKE 'wait:%'").Scan(&n))
		if n > 0 {
			return answered
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.t.Fatal("the request does not wait")
	return nil
}

// A program asks once, and is answered when the build begins, and when it has ended, with all that it left.
func TestWaitingForABuild(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	id := c.addJob("start", "1")
	path := "/jobs/" + id + "/builds/1?wait=30"
	begins := s.waiting(c, path)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	script := "until [ -e " + s.dir + "/go ]; do sleep 0.1; done; mkdir dist; echo x >dist/image.bin"
	r := local.Runner{DB: s.db, Executor: local.Executor{
		Make: func(engine.Source) (engine.Made, error) { return engine.Made{Script: []byte(script)}, nil },
		Dir:  s.cfg.Paths.Builds, WorkDir: s.dir + "/work", Concurrency: 1, Log: slog.New(slog.DiscardHandler),
	}}
	go func() { ended <- r.Run(ctx) }()
	defer func() {
		cancel()
		s.must(<-ended)
	}()
	if a := <-begins; a.status != http.StatusOK || a.json(t)["state"] != "running" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	ends := s.waiting(c, "/jobs/"+id+"/builds/latest?wait=30")
	if a := c.get("/jobs/" + id + "/builds/1"); a.json(t)["state"] != "running" {
		t.Fatal(a.body)
	}
	s.must(os.WriteFile(s.dir+"/go", nil, 0o600))
	a := <-ends
	if a.status != http.StatusOK || a.json(t)["state"] != "succeeded" || !strings.Contains(a.body, `"path":"image.bin"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	var n int
	db := s.open()
	defer db.Close()
	s.must(db.QueryRow("SELECT count(*) FROM rate_limit_event WHERE key LIKE 'wait:%'").Scan(&n))
	if again := c.get(path); n != 0 || again.body != a.body {
		t.Errorf("%d wait; %s became %s", n, a.body, again.body)
	}
}

// Whoever waits keeps nobody from writing, and is answered at the end of the time with what there is.
func TestWaitingEndsByItself(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	id := c.addJob("start", "1")
	path := "/jobs/" + id + "/builds/1?wait="
	answered := s.waiting(c, path+"1")
	s.sql("UPDATE job SET name = 'other'")
	if a := <-answered; a.status != http.StatusOK || a.json(t)["state"] != "queued" {
		t.Errorf("%d %s", a.status, a.body)
	}
	for wrong, want := range map[string]int{"x": 422, "-1": 422, "": 422, "1e9": 422, "0": 200} {
		if a := c.get(path + wrong); a.status != want {
			t.Errorf("wait=%s: %d %s", wrong, a.status, a.body)
		}
	}
	if a := s.program(s.token(bob, "read")).get(path + "30"); a.status != http.StatusNotFound {
		t.Errorf("another person's build: %d", a.status)
	}
	for range 5 {
		s.sql("INSERT INTO rate_limit_event VALUES (?, ?)", fmt.Sprint("wait:user ", s.id(ada)), time.Now().UnixMilli())
	}
	if a := c.get(path + "30"); a.status != http.StatusTooManyRequests || a.json(t)["code"] != "too_many_waiting" ||
		a.header.Get("Retry-After") == "" {
		t.Errorf("a sixth: %d %s", a.status, a.body)
	}
	if a := c.get(strings.TrimSuffix(path, "?wait=")); a.status != http.StatusOK {
		t.Errorf("without waiting: %d", a.status)
	}
}

// Answers say where everything is.
func TestAnswersHaveAddresses(t *testing.T) {
	_, c, id := built(t)
	want := "http://www.example.org/jobs/" + id
	for _, a := range []*answer{c.get("/jobs"), c.get("/jobs/" + id)} {
		if !strings.Contains(a.body, `"url":"`+want+`"`) || !strings.Contains(a.body, `"url":"`+want+`/builds/1"`) {
			t.Error(a.body)
		}
	}
	b := c.get("/jobs/" + id + "/builds/latest").json(t)
	if b["url"] != want+"/builds/1" || b["log_url"] != want+"/builds/1/log" {
		t.Error(b)
	}
	for _, f := range b["artifacts"].([]any) {
		f := f.(map[string]any)
		if a := c.get(strings.TrimPrefix(f["url"].(string), "http://www.example.org")); a.status != http.StatusOK ||
			float64(len(a.body)) != f["size"] {
			t.Errorf("%s: %d %q", f["url"], a.status, a.body)
		}
	}
}

// Programs get a hundred jobs at a time, and are led to the rest.
func TestAProgramsListHasPagesOfAHundred(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	id := c.addJob()
	for i := range 100 {
		s.sql("INSERT INTO job (id, user_id, name, target, engine_name, revision, created_at) "+
			"SELECT printf('x%011d', ?1), user_id, 'more', target, 'more' || ?1, 1, created_at FROM job WHERE id = ?2", i, id)
	}
	a := c.get("/jobs?sort=name")
	if n := len(a.json(t)["jobs"].([]any)); n != 100 || !strings.Contains(strings.Join(a.header["Link"], ","),
		`</jobs?page=2&sort=name>; rel="next"`) {
		t.Errorf("%d jobs, %q", n, a.header["Link"])
	}
	a = c.get("/jobs?page=2&sort=name")
	if n := len(a.json(t)["jobs"].([]any)); n != 1 || strings.Contains(strings.Join(a.header["Link"], ","), "next") {
		t.Errorf("%d jobs, %q", n, a.header["Link"])
	}
}
