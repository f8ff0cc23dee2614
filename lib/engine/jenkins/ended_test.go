package jenkins_test

import (
	"strings"
	"testing"
	"time"

	"toaster.do/lib/engine/jenkins/jenkinstest"
	"toaster.do/lib/store"
)

// onAgents is a controller whose builds run on an agent.
func onAgents() jenkinstest.Options {
	opt := quick()
	opt.Executors = -1
	opt.Agents = []jenkinstest.Agent{{Name: "agent", Executors: 3}}
	return opt
}

// first is a job's first build.
func (h *fixture) first(job *store.Job) *store.Build {
	h.Helper()
	all, err := h.Builds(h.Context(), h.ann.ID, job.ID)
	if err != nil || len(all) == 0 {
		h.Fatal(all, err)
	}
	return all[len(all)-1]
}

// loses lets Jenkins or its agent end the build that runs.
func (h *fixture) loses(how string) {
	h.Helper()
	switch how {
	case "agent":
		h.controller.LoseAgent("agent")
		h.controller.SetOffline("agent", false)
	case "kill":
		h.controller.Kill()
		if err := h.controller.StartAgain(); err != nil {
			h.Fatal(err)
		}
	default:
		if err := h.controller.Restart(); err != nil {
			h.Fatal(err)
		}
	}
}

// A build that Jenkins has ended is lost, with a true reason; nobody is told that the lines of their own program say
// why.
func TestABuildThatJenkinsEndsIsLost(t *testing.T) {
	for how, says := range map[string]string{
		"agent":   "lost the connection to the agent",
		"restart": "was restarted during this build",
		"SIGTERM": "was restarted during this build",
		"kill":    "no longer has this build",
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			opt := onAgents()
			if how == "SIGTERM" {
				opt.Interrupted = "ABORTED"
			}
			h := newFixture(t, opt)
			h.engine.script = "echo 'toaster: packing'; sleep 600"
			job := h.add()
			h.starts(job)
			h.becomes(job, "running")
			h.begins(1)
			// What a lost agent still prints comes after Jenkins's own lines.
			for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
				c, err := h.Reconciler.Log(h.Context(), h.ann.ID, job.ID, 1, 0)
				if strings.Contains(string(c.Text), "toaster: packing") {
					break
				} else if time.Now().After(end) {
					t.Fatal(err)
				}
			}
			h.loses(how)
			for end := time.Now().Add(20 * time.Second); h.first(job).Open(); h.syncs() {
				if time.Now().After(end) {
					t.Fatal("it stays open")
				}
			}
			if b := h.first(job); b.State != store.Lost || !strings.Contains(b.Why().String(), says) {
				t.Errorf("%s: %q", b.State, b.Why())
			}
		})
	}
}

// What a program prints, and that it fails, is the person's: whatever words it has.
func TestABuildThatPrintsJenkinsWordsFails(t *testing.T) {
	h := newFixture(t, onAgents())
	h.engine.script = `printf '%s\n' 'FATAL: command execution failed' 'hudson.remoting.ChannelClosedException: x' \
		'Agent went offline during the build' 'Build was aborted' 'Aborted by admin' 'toaster: failed: line 3 failed'; exit 6`
	job := h.add()
	h.starts(job)
	h.quiets()
	if b := h.first(job); b.State != store.Failed || b.Why().String() != "Line 3 failed" {
		t.Errorf("%s: %q", b.State, b.Why())
	}
}

// A stop that its owner asked for while Jenkins was unavailable has come true when the build is gone.
func TestAStopDuringAnOutageEndsAborted(t *testing.T) {
	for _, how := range []string{"agent", "restart", "SIGTERM", "kill"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			opt := onAgents()
			if how == "SIGTERM" {
				opt.Interrupted = "ABORTED"
			}
			h := newFixture(t, opt)
			h.engine.script = "sleep 600"
			job := h.add()
			h.starts(job)
			h.becomes(job, "running")
			h.begins(1)
			h.controller.Unavailable()
			if err := h.Stop(t.Context(), h.ann.ID, job.ID); err != nil {
				t.Error(err)
			}
			h.loses(how)
			h.well()
			h.settles(job, "aborted", 1)
			if why := h.first(job).Why(); why.String() != "Stopped by the owner." {
				t.Error(why)
			}
		})
	}
}

// Somebody who stops it in Jenkins, and only they, make it aborted.
func TestAStopInJenkinsEndsAborted(t *testing.T) {
	h := newFixture(t, onAgents())
	h.engine.script = "sleep 600"
	job := h.add()
	h.starts(job)
	h.becomes(job, "running")
	h.begins(1)
	h.byHand("POST", "/job/"+job.EngineName+"/1/stop", "")
	h.settles(job, "aborted", 1)
	if why := h.first(job).Why(); !strings.Contains(why.String(), "topped on the build service") {
		t.Error(why)
	}
}

// Links in dist lead nowhere, and break nothing: with fingerprints Jenkins followed them, and failed at a dangling one.
func TestLinksInDistAreNotFollowed(t *testing.T) {
	h := newFixture(t, quick())
	h.engine.script = "ln -s /etc dist/etc; ln -s nothing dist/dangling; ln -s .. dist/up"
	job := h.add()
	h.starts(job)
	h.settles(job, "succeeded", 1)
	list, err := h.Artifacts(t.Context(), h.ann.ID, job.ID, 1)
	if err != nil || len(list) != 1 || list[0].Path != "image" {
		t.Errorf("%v, %v", list, err)
	}
}
