package jenkins_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"toaster.do/lib/engine/jenkins"
	"toaster.do/lib/store"
)

// errand is what a process of its own does, as a CGI program would: one thing that a person wants.
type errand struct {
	Database, URL, Ran, Script, Label string
	Do                                string // "add", "start", "stop", "remove"
	Job                               string
}

const errandVariable = "TOASTER_TEST_ERRAND"

// TestErrand is no test but the process that the next test starts and kills.
func TestErrand(t *testing.T) {
	text := os.Getenv(errandVariable)
	if text == "" {
		return
	}
	var e errand
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatal(err)
	}
	engine, err := jenkins.New(jenkins.Options{URL: e.URL, User: "toaster", Token: "toaster-token", Logger: quietly})
	if err != nil {
		t.Fatal(err)
	}
	db := openDB(t, e.Database)
	h := &fixture{T: t, db: db, Service: service(t, db,
		&scripted{Engine: engine, script: e.Script, label: e.Label, ran: e.Ran})}
	if h.ann, err = h.db.UserByEmail(t.Context(), "ann@example.org"); err != nil {
		t.Fatal(err)
	}
	switch e.Do {
	case "add":
		h.add()
	case "start":
		_, _, err = h.Start(t.Context(), h.ann.ID, e.Job, nil)
	case "stop":
		err = h.Stop(t.Context(), h.ann.ID, e.Job)
	case "remove":
		err = h.Remove(t.Context(), h.ann.ID, e.Job)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// runs does an errand in a process, which is killed at its n-th request, before or after that was obeyed. It reports
// whether it was.
func (h *fixture) runs(do, job string, n int, obeyed bool) bool {
	h.Helper()
	text, err := json.Marshal(errand{h.database, h.controller.URL, h.engine.ran, h.engine.script, h.engine.label, do, job})
	if err != nil {
		h.Fatal(err)
	}
	process := exec.Command(os.Args[0], "-test.run=^TestErrand$")
	process.Env = append(os.Environ(), errandVariable+"="+string(text))
	var said bytes.Buffer
	process.Stdout, process.Stderr = &said, &said
	var killed atomic.Bool
	started := make(chan *os.Process, 1)
	h.controller.Nth(n, func(_ http.ResponseWriter, _ *http.Request, act func(http.ResponseWriter)) {
		if obeyed {
			act(httptest.NewRecorder())
		}
		killed.Store(true)
		(<-started).Kill()
		panic(http.ErrAbortHandler)
	})
	if err := process.Start(); err != nil {
		h.Fatal(err)
	}
	started <- process.Process
	err = process.Wait()
	h.well() // also forgets the kill where there were fewer requests
	if err != nil && !killed.Load() {
		h.Fatalf("%s: %v\n%s", do, err, &said)
	}
	return killed.Load()
}

func TestAProcessKilledAtEachRequest(t *testing.T) {
	for _, c := range []struct {
		do     string
		script string
		label  string
		before string // the job's builds before
		after  func(h *fixture, job *store.Job)
	}{
		{"add", "true", "", "", func(h *fixture, job *store.Job) {
			h.quiets()
			h.starts(job)
			h.settles(job, "succeeded", 1)
		}},
		{"start", "true", "", "", func(h *fixture, job *store.Job) {
			time.Sleep(60 * time.Millisecond)
			h.settles(job, "succeeded", 1)
		}},
		{"stop", "sleep 600", "", "running", func(h *fixture, job *store.Job) { h.settles(job, "aborted", 1) }},
		{"stop", "true", "nobody-has-it", "queued", func(h *fixture, job *store.Job) { h.settles(job, "aborted", 0) }},
		{"remove", "sleep 600", "", "running", func(h *fixture, job *store.Job) { h.quiets(); h.gone(job.EngineName) }},
		{"remove", "true", "nobody-has-it", "queued",
			func(h *fixture, job *store.Job) { h.quiets(); h.gone(job.EngineName) }},
	} {
		for _, obeyed := range []bool{false, true} {
			name := c.do + " " + c.before + map[bool]string{false: ", before", true: ", after"}[obeyed]
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				for n, more := 1, true; more; n++ {
					t.Run("", func(t *testing.T) {
						more = false
						h := newFixture(t, quick())
						h.engine.script, h.engine.label = c.script, c.label
						job := &store.Job{}
						if c.do != "add" {
							job = h.add()
						}
						if c.before != "" {
							h.starts(job)
							h.becomes(job, c.before)
						}
						if c.before == "running" {
							h.begins(1)
						}
						more = h.runs(c.do, job.ID, n, obeyed)
						if c.do == "add" {
							job = h.only()
						}
						c.after(h, job)
					})
				}
			})
		}
	}
}

// only is the one job that there is.
func (h *fixture) only() *store.Job {
	h.Helper()
	page, err := h.db.Jobs(h.Context(), h.ann.ID, store.JobQuery{})
	if err != nil || len(page.Jobs) != 1 {
		h.Fatalf("%+v, %v", page, err)
	}
	return page.Jobs[0]
}
