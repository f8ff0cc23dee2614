package jenkins_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine/jenkins"
	"toaster.do/lib/engine/jenkins/jenkinstest"
	"toaster.do/lib/engine/reconcile"
	"toaster.do/lib/store"
)

// remembers lets the fixture's programs remember together, as a real site's do.
func (h *fixture) remembers() {
	outages := &reconcile.OutageStore{Store: h.db, Now: h.Now, Logger: quietly}
	h.engine.Engine = engineOn(h.T, h.controller, patient,
		func(o *jenkins.Options) { o.Outages, o.Call = outages, 900*time.Millisecond })
}

// opened is what a job's page, a build's and the list say of its newest build.
func (h *fixture) opened(job *store.Job) (reasons []string) {
	h.Helper()
	j, err := h.Job(h.Context(), h.ann.ID, job.ID)
	if err != nil {
		h.Fatal(err)
	}
	b, err := h.Build(h.Context(), h.ann.ID, job.ID, j.Last.Number)
	if err != nil {
		h.Fatal(err)
	}
	list, err := h.Jobs(h.Context(), h.ann.ID, store.JobQuery{})
	if err != nil {
		h.Fatal(err)
	}
	all, err := h.Builds(h.Context(), h.ann.ID, job.ID)
	if err != nil {
		h.Fatal(err)
	}
	return []string{j.Last.Why().String(), b.Why().String(), list.Jobs[0].Last.Why().String(), all[0].Why().String()}
}

// While Jenkins is unavailable each page says so, since when, and what becomes of the build; one question tells all of
// them.
func TestPagesSayThatJenkinsIsAway(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(*jenkinstest.Server)
		says  string
	}{
		{"down", (*jenkinstest.Server).Down, "is unavailable since"},
		{"says nothing", (*jenkinstest.Server).Hang, "is unavailable since"},
		{"503 of a proxy", (*jenkinstest.Server).Unavailable, "is unavailable since"},
		{"a wrong token", func(s *jenkinstest.Server) { s.SetToken("toaster", "another") }, "rejects this site since"},
		{"a page to log in", (*jenkinstest.Server).LoginRedirect, "rejects this site since"},
		{"somebody else", (*jenkinstest.Server).HTML, "rejects this site since"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newFixture(t, quick())
			h.remembers()
			h.engine.script = "while ! test -e " + h.engine.ran + ".go; do sleep 0.02; done"
			runs, waits := h.add(), h.add()
			h.starts(runs)
			h.becomes(runs, "running")
			c.fault(h.controller)
			h.ahead.Add(int64(time.Minute))
			since := h.Now().UTC().Format("2006-01-02 15:04")
			h.starts(waits)
			h.controller.Requests()
			for range 5 {
				for _, said := range h.opened(waits) {
					if !strings.Contains(said, c.says+" "+since) || !strings.Contains(said, "The build starts ") {
						t.Errorf("of what waits: %q", said)
					}
				}
			}
			for _, said := range h.opened(runs)[:2] {
				if !strings.Contains(said, c.says+" "+since) || !strings.Contains(said, "The progress of the build is") {
					t.Errorf("of what runs: %q", said)
				}
			}
			if asked := h.controller.Requests(); len(asked) > 0 {
				t.Errorf("pages asked %v again", asked)
			}
			if err := h.Stop(t.Context(), h.ann.ID, runs.ID); err != nil {
				t.Error(err)
			}
			if said := h.opened(runs)[0]; !strings.Contains(said, "The build stops") {
				t.Errorf("of what is to end: %q", said)
			}
			// A while later one asks again.
			h.ahead.Add(int64(time.Minute))
			h.opened(waits)
			if asked := h.controller.Requests(); len(asked) != 1 && c.name != "down" {
				t.Errorf("after a minute pages asked %v", asked)
			}
			if said := h.opened(waits)[0]; !strings.Contains(said, since) {
				t.Errorf("a minute later: %q", said)
			}
			h.controller.SetToken("toaster", "toaster-token")
			if err := h.controller.Well(); err != nil {
				t.Fatal(err)
			}
			h.becomes(runs, "aborted") // else it could end by itself before it is stopped
			h.touch(".go")
			h.becomes(waits, "succeeded")
			for _, job := range []*store.Job{runs, waits} {
				if said := strings.Join(h.opened(job), ""); strings.Contains(said, "since") {
					t.Errorf("after it: %q", said)
				}
			}
		})
	}
}

// A sync asks an engine that is unavailable once, however many jobs wait for it.
func TestASyncAsksAnEngineThatIsAwayOnce(t *testing.T) {
	for name, fault := range map[string]func(*jenkinstest.Server){
		"says nothing":  (*jenkinstest.Server).Hang,
		"down":          (*jenkinstest.Server).Down,
		"a wrong token": func(s *jenkinstest.Server) { s.SetToken("toaster", "another") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFixture(t, quick())
			for range 8 {
				h.starts(h.add())
			}
			fault(h.controller)
			h.engine.Engine = engineOn(t, h.controller, patient, hurried("says nothing"))
			h.controller.Requests()
			if err := h.syncs(); err == nil {
				t.Error("it went well")
			}
			asked := h.controller.Requests()
			if name == "a wrong token" {
				asked = asked[:max(0, len(asked)-3)] // a 401 is asked again, as one of a restart passes
			}
			if len(asked) > 1 {
				t.Errorf("it asked %d times: %v", len(asked), asked)
			}
		})
	}
}

// What Jenkins refuses of one job, or is slow with for a caller in a hurry, is no outage.
func TestARefusalIsNoOutage(t *testing.T) {
	h := newFixture(t, quick())
	h.remembers()
	job := h.add()
	h.controller.Permit("toaster", jenkinstest.JobBuild, false)
	h.starts(job)
	h.controller.Permit("toaster", jenkinstest.JobBuild, true)
	h.controller.Answer(http.MethodGet, "^/job/", http.StatusInternalServerError, "Oops!")
	if _, err := h.engine.Status(t.Context(), job.EngineName); apperr.KindOf(err) != apperr.Internal {
		t.Error(err)
	}
	if o := h.engine.Outage(t.Context()); o != nil {
		t.Errorf("%+v", o)
	}
}
