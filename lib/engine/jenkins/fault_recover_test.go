package jenkins_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine/jenkins/jenkinstest"
	"toaster.do/lib/jobs"
)

// away are faults that pass by themselves.
var away = []struct {
	name  string
	fault func(*jenkinstest.Server)
}{
	{"down", (*jenkinstest.Server).Down},
	{"says nothing", (*jenkinstest.Server).Hang},
	{"503 of a proxy", (*jenkinstest.Server).Unavailable},
	{"is starting", func(s *jenkinstest.Server) { s.Pause(jenkinstest.Starting) }},
	{"HTML", (*jenkinstest.Server).HTML},
	{"half an answer", (*jenkinstest.Server).HalfJSON},
	{"a page to log in", (*jenkinstest.Server).LoginRedirect},
}

func TestAJobAddedAndStartedWhileJenkinsIsAway(t *testing.T) {
	for _, c := range away {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newFixture(t, quick())
			h.falls(c.name, c.fault)
			job := h.add()
			h.starts(job)
			h.syncs()
			h.well()
			h.settles(job, "succeeded", 1)
		})
	}
}

func TestJenkinsGoesAwayWhileABuildRunsAndOneWaits(t *testing.T) {
	for _, c := range away {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newFixture(t, quick())
			h.engine.script = "while ! test -e " + h.engine.ran + ".go; do sleep 0.02; done"
			job := h.add()
			h.starts(job)
			h.becomes(job, "running")
			h.starts(job)
			h.falls(c.name, c.fault)
			for range 2 {
				h.syncs()
			}
			if got := h.at(job); got != "running, queued" {
				t.Errorf("while Jenkins is away the builds are %q", got)
			}
			h.touch(".go")
			h.well()
			h.settles(job, "succeeded, succeeded", 2)
		})
	}
}

func TestStopAndRemoveWhileJenkinsIsAway(t *testing.T) {
	for _, c := range away {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newFixture(t, quick())
			h.engine.script = "sleep 600"
			one, two := h.add(), h.add()
			for _, job := range []string{one.ID, two.ID} {
				if _, _, err := h.Start(t.Context(), h.ann.ID, job, nil); err != nil {
					t.Fatal(err)
				}
			}
			h.begins(2)
			h.becomes(two, "running")
			h.falls(c.name, c.fault)
			if err := h.Stop(t.Context(), h.ann.ID, one.ID); err != nil {
				t.Errorf("Stop: %v", err)
			}
			if err := h.Remove(t.Context(), h.ann.ID, two.ID); err != nil {
				t.Errorf("Remove: %v", err)
			}
			h.syncs()
			h.well()
			h.settles(one, "aborted", 2)
			h.gone(two.EngineName)
		})
	}
}

// gone checks that the controller has no such job.
func (h *fixture) gone(name string) {
	h.Helper()
	if all, err := h.engine.Status(h.Context(), name); err != nil || len(all) != 0 {
		h.Errorf("the job is still there: %v, %v", all, err)
	}
}

// lostAnswers are the ways in which the answer of a call is lost: before or after it was obeyed, by a cut connection, a
// restart or a crash.
var lostAnswers = []struct {
	name string
	lose func(s *jenkinstest.Server, method, pattern string)
}{
	{"the request is cut off", (*jenkinstest.Server).DropRequest},
	{"the answer is cut off", (*jenkinstest.Server).DropAnswer},
	{"500 instead", func(s *jenkinstest.Server, method, pattern string) {
		s.Answer(method, pattern, http.StatusInternalServerError, "<html><body>Oops!</body></html>")
	}},
	{"obeyed, but 500", (*jenkinstest.Server).Fail},
	{"restart before", func(s *jenkinstest.Server, method,
		pattern string) {
		restartAt(s, method, pattern, false, s.Restart)
	}},
	{"restart after", func(s *jenkinstest.Server, method,
		pattern string) {
		restartAt(s, method, pattern, true, s.Restart)
	}},
	{"crash before", func(s *jenkinstest.Server, method,
		pattern string) {
		restartAt(s, method, pattern, false, crash(s))
	}},
	{"crash after", func(s *jenkinstest.Server, method, pattern string) { restartAt(s, method, pattern, true, crash(s)) }},
}

func crash(s *jenkinstest.Server) func() error {
	return func() error { s.Kill(); return s.StartAgain() }
}

// restartAt restarts the controller in the middle of the next such call.
func restartAt(s *jenkinstest.Server, method, pattern string, obeyed bool, restart func() error) {
	s.Once(method, pattern, func(_ http.ResponseWriter, _ *http.Request, act func(http.ResponseWriter)) {
		if obeyed {
			act(httptest.NewRecorder())
		}
		restart()
		panic(http.ErrAbortHandler)
	})
}

func TestAnAddThatGetsNoAnswer(t *testing.T) {
	for _, l := range lostAnswers {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			h := newFixture(t, quick())
			l.lose(h.controller, "POST", "^/createItem$")
			job := h.add()
			h.starts(job)
			h.settles(job, "succeeded", 1)
		})
	}
}

func TestAStartThatGetsNoAnswer(t *testing.T) {
	for _, l := range lostAnswers {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			h := newFixture(t, quick())
			l.lose(h.controller, "POST", "^/job/[^/]+/build$")
			job := h.add()
			h.starts(job)
			// in a moment a start that was obeyed has become a build; nobody asks again earlier than after 15 s
			time.Sleep(60 * time.Millisecond)
			if ended := h.ended(job); ended != "succeeded" && l.name == "restart after" {
				h.settles(job, "lost, succeeded", len(h.ran())) // the restart ended it, perhaps before its script's first line
				return
			}
			h.settles(job, "succeeded", 1)
		})
	}
}

func TestAStopThatGetsNoAnswer(t *testing.T) {
	for _, l := range lostAnswers {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			h := newFixture(t, quick())
			h.engine.script = "sleep 600"
			job := h.add()
			h.starts(job)
			h.begins(1)
			h.becomes(job, "running")
			l.lose(h.controller, "POST", "^/job/[^/]+/1/stop$")
			if err := h.Stop(t.Context(), h.ann.ID, job.ID); err != nil {
				t.Fatal(err)
			}
			h.settles(job, "aborted", 1) // whoever ended it
		})
	}
}

func TestAStopOfWhatWaitsThatGetsNoAnswer(t *testing.T) {
	for _, l := range lostAnswers {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			h := newFixture(t, quick())
			h.engine.label = "nobody-has-it"
			job := h.add()
			h.starts(job)
			l.lose(h.controller, "POST", "^/queue/cancelItem$")
			if err := h.Stop(t.Context(), h.ann.ID, job.ID); err != nil {
				t.Fatal(err)
			}
			h.settles(job, "aborted", 0)
		})
	}
}

func TestARemovalThatGetsNoAnswer(t *testing.T) {
	for call, pattern := range map[string]string{"stop": "^/job/[^/]+/1/stop$", "wipe": "^/job/[^/]+/doWipeOutWorkspace$",
		"delete": "^/job/[^/]+/doDelete$"} {
		for _, l := range lostAnswers {
			t.Run(call+": "+l.name, func(t *testing.T) {
				t.Parallel()
				h := newFixture(t, quick())
				h.engine.script = "sleep 600"
				job := h.add()
				h.starts(job)
				h.begins(1)
				l.lose(h.controller, "POST", pattern)
				if err := h.Remove(t.Context(), h.ann.ID, job.ID); err != nil {
					t.Fatal(err)
				}
				h.quiets()
				h.gone(job.EngineName)
			})
		}
	}
}

func TestAnUpdateThatGetsNoAnswer(t *testing.T) {
	for call, pattern := range map[string]string{"create": "^/createItem$", "update": "^/job/.*/config.xml$"} {
		for _, l := range lostAnswers {
			t.Run(call+": "+l.name, func(t *testing.T) {
				t.Parallel()
				h := newFixture(t, quick())
				h.engine.script = "echo first"
				job := h.add()
				h.engine.script = "echo second"
				l.lose(h.controller, "POST", pattern)
				sub := jobs.Submission{Dockerfile: []byte("FROM debian:bookworm\nRUN false\n")}
				if _, err := h.Update(t.Context(), h.ann.ID, job.ID, 1, sub); err != nil {
					t.Fatal(err)
				}
				h.starts(job)
				h.settles(job, "succeeded", 1)
				c, err := h.engine.Log(t.Context(), job.EngineName, 1, 0)
				if err != nil || !strings.Contains(string(c.Text), "second\n") {
					t.Errorf("the build ran the old script: %v\n%s", err, c.Text)
				}
			})
		}
	}
}

func TestDisablingThatGetsNoAnswer(t *testing.T) {
	for _, l := range lostAnswers {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			h := newFixture(t, quick())
			job := h.add()
			for _, action := range []string{"disable", "enable"} {
				l.lose(h.controller, "POST", "^/job/[^/]+/"+action+"$")
				if err := h.SetEnabled(t.Context(), h.ann.ID, job.ID, action == "enable"); err != nil {
					t.Fatal(err)
				}
				h.quiets()
				all, err := h.engine.Status(t.Context(), job.EngineName)
				if err != nil || all[job.EngineName].Enabled != (action == "enable") {
					t.Errorf("after %s: %+v, %v", action, all, err)
				}
			}
		})
	}
}

func TestAWrongTokenIsForTheAdministrator(t *testing.T) {
	t.Parallel()
	h := newFixture(t, quick())
	h.controller.SetToken("toaster", "another")
	job := h.add()
	h.starts(job)
	h.syncs()
	page, err := h.Job(t.Context(), h.ann.ID, job.ID)
	if err != nil || page.Last == nil || page.Last.State != "queued" {
		t.Fatalf("%+v, %v", page, err)
	}
	_, err = h.engine.Status(t.Context(), job.EngineName)
	f := apperr.Of(err)
	for _, told := range []string{f.Message.String(), f.Advice.String(), page.Last.Reason.String()} {
		if strings.Contains(strings.ToLower(told), "token") || strings.Contains(told, "toaster-token") ||
			strings.Contains(told, "401") {
			t.Errorf("a person is told %q", told)
		}
	}
	if !strings.Contains(err.Error(), "401") {
		t.Errorf("the log only has %q", err)
	}
	h.controller.SetToken("toaster", "toaster-token")
	h.settles(job, "succeeded", 1)
}
