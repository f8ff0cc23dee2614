package jenkins_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/engine/jenkins/jenkinstest"
)

// touch makes a file that scripts wait for.
func (h *fixture) touch(suffix string) {
	h.Helper()
	if err := os.WriteFile(h.engine.ran+suffix, nil, 0o644); err != nil {
		h.Fatal(err)
	}
}

// byHand is what an administrator does in Jenkins itself.
func (h *fixture) byHand(method, path, body string) {
	h.Helper()
	r, err := http.NewRequestWithContext(h.Context(), method, h.controller.URL+path, strings.NewReader(body))
	if err != nil {
		h.Fatal(err)
	}
	r.SetBasicAuth("admin", "admin-token")
	r.Header.Set("Content-Type", "application/xml")
	a, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		h.Fatal(err)
	}
	defer a.Body.Close()
	if a.StatusCode >= 400 {
		h.Fatalf("%s %s: %s", method, path, a.Status)
	}
}

func TestAJobDeletedByHand(t *testing.T) {
	for _, c := range []struct {
		name, label, script string
		before, wanted      string
		ran                 int
	}{
		{"idle", "", "true", "succeeded", "succeeded, succeeded", 2},
		{"while it waits", "later", "true", "queued", "succeeded", 1},
		{"while it runs", "", "sleep 600", "running", "lost", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			opt := quick()
			opt.Agents = []jenkinstest.Agent{{Name: "agent", Labels: []string{"later"}, Offline: true}}
			h := newFixture(t, opt)
			h.engine.label, h.engine.script = c.label, c.script
			job := h.add()
			h.starts(job)
			h.becomes(job, c.before)
			if c.before == "running" {
				h.begins(1)
			}
			h.byHand("POST", "/job/"+job.EngineName+"/doDelete", "")
			h.controller.SetOffline("agent", false)
			if c.name == "idle" {
				h.starts(job)
			}
			h.settles(job, c.wanted, c.ran)
		})
	}
}

func TestAJobEditedByHand(t *testing.T) {
	for name, config := range map[string]string{
		"it wants parameters": "<project><description>(toaster job " +
			"NAME)</description><properties><hudson.model.ParametersDefinitionProperty><parameterDefinitions/></hudson.model.ParametersDefinitionProperty></properties></project>",
		"it is another's now": "<project><description>mine</description><builders><hudson.tasks.Shell><command>true</command></hudson.tasks.Shell></builders></project>",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFixture(t, quick())
			job := h.add()
			h.byHand("POST", "/job/"+job.EngineName+"/config.xml", strings.ReplaceAll(config, "NAME", job.EngineName))
			h.starts(job)
			if name == "it wants parameters" {
				h.settles(job, "succeeded", 1)
				return
			}
			// A build of a script that isn't ours must not pass for one of ours.
			for range 3 {
				h.syncs()
				time.Sleep(20 * time.Millisecond)
			}
			if got := h.at(job); got == "succeeded" && len(h.ran()) == 0 {
				t.Errorf("a build of somebody else's script is shown as %q", got)
			}
		})
	}
}

func TestAJobDisabledByHand(t *testing.T) {
	t.Parallel()
	h := newFixture(t, quick())
	job := h.add()
	h.byHand("POST", "/job/"+job.EngineName+"/disable", "")
	h.starts(job)
	for range 3 {
		h.syncs()
	}
	if got := h.at(job); got != "queued" {
		t.Errorf("the build is %q", got)
	}
	page, err := h.Job(t.Context(), h.ann.ID, job.ID)
	if err != nil || !strings.Contains(page.EngineError.String(), "was disabled on the build service") ||
		page.Last.Why() != page.EngineError {
		t.Errorf("nobody is told why it waits: %+v, %v", page, err)
	}
	if b, err := h.Build(t.Context(), h.ann.ID, job.ID, 1); err != nil || b.Why() != page.EngineError {
		t.Errorf("the build's page says %+v, %v", b, err)
	}
	h.controller.Requests()
	h.syncs()
	for _, r := range h.controller.Requests() {
		if r.Method == "POST" {
			t.Errorf("a sync asks %v though it knows better", r)
		}
	}
	h.byHand("POST", "/job/"+job.EngineName+"/enable", "")
	h.settles(job, "succeeded", 1)
	if page, err = h.Job(t.Context(), h.ann.ID, job.ID); err != nil || !page.EngineError.IsZero() {
		t.Errorf("afterwards: %q, %v", page.EngineError, err)
	}
}

// A build of a job that somebody renames or deletes is lost with that reason, and the job is made again.
func TestAJobRenamedByHand(t *testing.T) {
	t.Parallel()
	h := newFixture(t, quick())
	h.engine.script = "while ! test -e " + h.engine.ran + ".go; do sleep 0.02; done"
	job := h.add()
	h.starts(job)
	h.becomes(job, "running")
	h.byHand("POST", "/job/"+job.EngineName+"/doRename?newName=mine", "")
	h.syncs()
	h.touch(".go")
	h.settles(job, "lost", 1)
	if why := h.first(job).Why(); !strings.Contains(why.String(), "deleted or renamed on the build service") {
		t.Error(why)
	}
	var told string
	for _, f := range h.engine.Doctor(t.Context(), nil) {
		if !f.OK() {
			told += f.Name + ": " + f.Message + " " + f.Fix + "\n"
		}
	}
	if !strings.Contains(told, "mine") || !strings.Contains(told, job.EngineName) {
		t.Errorf("doctor says %q", told)
	}
}

func TestAQueueItemThatVanishes(t *testing.T) {
	opt := quick()
	opt.Agents = []jenkinstest.Agent{{Name: "agent", Labels: []string{"later"}, Offline: true}}
	t.Run("cancelled by hand a moment ago", func(t *testing.T) {
		t.Parallel()
		h := newFixture(t, opt)
		h.engine.label = "later"
		job := h.add()
		h.starts(job)
		h.byHand("POST", "/queue/cancelItem?id=1", "")
		h.controller.SetOffline("agent", false)
		h.settles(job, "aborted", 0)
	})
	t.Run("cancelled so long ago that nobody knows", func(t *testing.T) {
		t.Parallel()
		opt := opt
		opt.KeepLeft = time.Millisecond
		h := newFixture(t, opt)
		h.engine.label = "later"
		job := h.add()
		h.starts(job)
		h.byHand("POST", "/queue/cancelItem?id=1", "")
		time.Sleep(5 * time.Millisecond)
		h.controller.SetOffline("agent", false)
		h.settles(job, "succeeded", 1)
	})
	t.Run("it became a build that is found without it", func(t *testing.T) {
		t.Parallel()
		opt := opt
		opt.KeepLeft = time.Millisecond
		h := newFixture(t, opt)
		job := h.add()
		h.starts(job)
		h.begins(1)
		time.Sleep(30 * time.Millisecond)
		h.settles(job, "succeeded", 1)
	})
}

func TestABuildDeletedByHand(t *testing.T) {
	t.Parallel()
	h := newFixture(t, quick())
	h.engine.script = "while ! test -e " + h.engine.ran + ".go; do sleep 0.02; done"
	job := h.add()
	h.starts(job)
	h.becomes(job, "running")
	h.byHand("POST", "/job/"+job.EngineName+"/1/doDelete", "")
	h.becomes(job, "lost, queued") // a crash looks no other: it is built again, once
	h.touch(".go")
	h.settles(job, "lost, succeeded", 2)
}

func TestNoAgent(t *testing.T) {
	t.Parallel()
	opt := quick()
	opt.Agents = []jenkinstest.Agent{{Name: "agent", Labels: []string{"arm64"}, Offline: true}}
	h := newFixture(t, opt)
	h.engine.label = "arm64"
	job := h.add()
	h.starts(job)
	h.syncs()
	page, err := h.Job(t.Context(), h.ann.ID, job.ID)
	if err != nil || page.Last.State != "queued" || !strings.Contains(page.Last.Reason.String(), "arm64") {
		t.Errorf("it waits because %q, %v", page.Last.Reason, err)
	}
	for range 5 {
		if err := h.syncs(); err != nil {
			t.Error(err)
		}
	}
	h.controller.SetOffline("agent", false)
	h.settles(job, "succeeded", 1)
}

func TestAFullQueue(t *testing.T) {
	t.Parallel()
	opt := quick()
	opt.Executors = 1
	h := newFixture(t, opt)
	h.engine.script = "while ! test -e " + h.engine.ran + ".go; do sleep 0.02; done"
	first := h.add()
	h.starts(first)
	h.becomes(first, "running")
	second, third := h.add(), h.add()
	h.starts(second)
	h.starts(third)
	h.syncs()
	for place, id := range []string{second.ID, third.ID} {
		page, err := h.Job(t.Context(), h.ann.ID, id)
		if err != nil || page.Last.State != "queued" || page.Last.Position != place+1 || page.Last.Reason.IsZero() {
			t.Errorf("number %d in the queue: %+v, %v", place+1, page.Last, err)
		}
	}
	h.touch(".go")
	h.becomes(first, "succeeded")
	h.becomes(second, "succeeded")
	h.settles(third, "succeeded", 3)
}

func TestAQuietingController(t *testing.T) {
	t.Parallel()
	h := newFixture(t, quick())
	job := h.add()
	h.byHand("POST", "/quietDown", "")
	h.starts(job)
	h.syncs()
	page, err := h.Job(t.Context(), h.ann.ID, job.ID)
	if err != nil || page.Last.State != "queued" || page.Last.Reason.IsZero() {
		t.Errorf("%+v, %v", page.Last, err)
	}
	if err := h.controller.Restart(); err != nil {
		t.Fatal(err)
	}
	h.settles(job, "succeeded", 1)
}

func TestAKillWithOneBuildThatRunsAndOthersThatWait(t *testing.T) {
	t.Parallel()
	opt := quick()
	opt.Executors = 1
	h := newFixture(t, opt)
	h.engine.script = "while ! test -e " + h.engine.ran + ".go; do sleep 0.02; done"
	runs, waits := h.add(), h.add()
	h.starts(runs)
	h.becomes(runs, "running")
	h.begins(1)
	h.starts(runs)
	h.starts(waits)
	h.syncs()
	h.controller.Kill()
	h.syncs()
	if one, two := h.at(runs), h.at(waits); one != "running, queued" || two != "queued" {
		t.Errorf("while it is dead: %q and %q", one, two)
	}
	if err := h.controller.StartAgain(); err != nil {
		t.Fatal(err)
	}
	h.touch(".go")
	h.becomes(runs, "lost, succeeded")
	h.settles(waits, "succeeded", 3)
	if got := h.at(runs); got != "lost, succeeded" {
		t.Errorf("the builds are %q", got)
	}
}

func TestARestartWithOneBuildThatRunsAndOthersThatWait(t *testing.T) {
	t.Parallel()
	opt := quick()
	opt.Executors = 1
	h := newFixture(t, opt)
	h.engine.script = "while ! test -e " + h.engine.ran + ".go; do sleep 0.02; done"
	runs, waits := h.add(), h.add()
	h.starts(runs)
	h.becomes(runs, "running")
	h.begins(1)
	h.starts(runs)
	h.starts(waits)
	h.syncs()
	done := make(chan error)
	go func() { done <- h.controller.Restart() }()
	for running := true; running; time.Sleep(2 * time.Millisecond) {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
			h.syncs()
		}
	}
	h.touch(".go")
	h.becomes(runs, "lost, succeeded")
	h.settles(waits, "succeeded", 3)
}
