package jobs

import (
	"slices"
	"testing"
	"time"

	"toaster.do/lib/engine"
	"toaster.do/lib/store"
)

// running is a job whose first build runs.
func (h *fixture) running() *store.Job {
	h.Helper()
	job := h.add()
	if _, _, err := h.Start(h.Context(), h.ann.ID, job.ID, nil); err != nil {
		h.Fatal(err)
	}
	h.fake.begin(job.EngineName)
	h.syncs(1)
	if b := h.last(job); b.State != store.Running {
		h.Fatalf("%+v", b)
	}
	return job
}

// states are those of a job's builds, oldest first, and which build each repeats.
func (h *fixture) states(job *store.Job) (states []store.BuildState, repeats []int) {
	h.Helper()
	builds, err := h.Builds(h.Context(), h.ann.ID, job.ID)
	if err != nil {
		h.Fatal(err)
	}
	for i := range builds {
		b := builds[len(builds)-1-i]
		states, repeats = append(states, b.State), append(repeats, b.Repeats)
	}
	return states, repeats
}

func TestAnInterruptedBuildIsQueuedAgainOnce(t *testing.T) {
	h := newFixture(t)
	h.Limits.Builds = store.Limits{Daily: 1, Running: 1, Queue: 1}
	job := h.running()
	h.fake.end(job.EngineName, 1, engine.Lost)
	h.syncs(1)
	if j := h.fake.jobs[job.EngineName]; j.waiting == nil {
		t.Fatal("the engine was not asked for the repetition in the same round")
	}
	b := h.last(job)
	first, err := h.db.Build(t.Context(), h.ann.ID, job.ID, 1)
	if err != nil || b.State != store.Queued || b.Number != 2 || b.Repeats != 1 || first.State != store.Lost ||
		first.RepeatedBy != 2 {
		t.Fatalf("%+v, %+v, %v", first, b, err)
	}
	// It counts once for its owner, whatever the site had to do for it.
	if u, err := h.db.Usage(t.Context(), h.ann.ID, h.clock); err != nil || u.Daily != 1 || u.Running != 1 {
		t.Errorf("%+v, %v", u, err)
	}
	h.fake.begin(job.EngineName)
	h.syncs(1)
	h.fake.end(job.EngineName, 2, engine.Lost)
	h.syncs(3)
	if states, repeats := h.states(job); len(states) != 2 || states[1] != store.Lost || repeats[1] != 1 {
		t.Errorf("a repetition that was interrupted, too: %v %v", states, repeats)
	}
}

func TestAnInterruptedBuildIsNotQueuedAgain(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(*fixture, *store.Job)
		first   store.BuildState
		builds  int
	}{
		{"its owner has stopped it, and the engine was away", func(h *fixture, job *store.Job) {
			h.fake.faults = []string{"status:before", "stop:before"}
			h.Stop(h.Context(), h.ann.ID, job.ID)
		}, store.Aborted, 1},
		{"its owner has stopped it while the engine was asked", func(h *fixture, job *store.Job) {
			h.fake.during = func() { h.db.RequestStop(h.Context(), h.ann.ID, job.ID, h.clock) }
		}, store.Aborted, 1},
		{"its job was disabled", func(h *fixture, job *store.Job) {
			h.SetEnabled(h.Context(), h.ann.ID, job.ID, false)
		}, store.Lost, 1},
		{"another one waits already", func(h *fixture, job *store.Job) {
			h.clock = h.clock.Add(time.Second)
			h.Start(h.Context(), h.ann.ID, job.ID, nil)
		}, store.Lost, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newFixture(t)
			job := h.running()
			c.prepare(h, job)
			h.fake.end(job.EngineName, 1, engine.Lost)
			h.syncs(3)
			states, repeats := h.states(job)
			if len(states) != c.builds || states[0] != c.first || repeats[c.builds-1] != 0 {
				t.Errorf("%v %v", states, repeats)
			}
		})
	}
	t.Run("somebody removed its job from the engine", func(t *testing.T) {
		h := newFixture(t)
		job := h.running()
		delete(h.fake.jobs, job.EngineName)
		h.syncs(3)
		if states, _ := h.states(job); len(states) != 1 || states[0] != store.Lost {
			t.Error(states)
		}
	})
	t.Run("its owner has removed the job", func(t *testing.T) {
		h := newFixture(t)
		job := h.running()
		h.fake.faults = []string{"status:before"}
		h.Remove(t.Context(), h.ann.ID, job.ID)
		h.fake.end(job.EngineName, 1, engine.Lost)
		h.syncs(3)
		if h.fake.jobs[job.EngineName] != nil {
			t.Error("the engine still has it")
		}
	})
}

// Nobody gets an email about a build that is built again; its repetition's end is the news.
func TestTheEmailComesWithTheRepetition(t *testing.T) {
	h := newFixture(t)
	db := h.db
	if err := db.SetProfile(t.Context(), h.ann.ID, "Ann", "failure"); err != nil {
		t.Fatal(err)
	}
	job := h.running()
	h.fake.end(job.EngineName, 1, engine.Lost)
	h.syncs(1)
	if list, err := db.Unnotified(t.Context(), 10); err != nil || len(list) != 0 {
		t.Errorf("%d emails, %v", len(list), err)
	}
	h.fake.begin(job.EngineName)
	h.syncs(1)
	h.fake.end(job.EngineName, 2, engine.Lost)
	h.syncs(1)
	if list, err := db.Unnotified(t.Context(), 10); err != nil || len(list) != 1 || list[0].Build.Number != 2 {
		t.Errorf("%d emails, %v", len(list), err)
	}
}

// What it was given is gone with the build: without that it would be another one.
func TestABuildThatWasGivenSecretsIsNotRepeated(t *testing.T) {
	h := newFixture(t)
	job := h.add()
	b, _, err := h.db.AddBuild(t.Context(), h.ann.ID, job.ID, []byte("sealed"), store.Limits{}, h.clock)
	if err != nil {
		t.Fatal(err)
	}
	h.syncs(1)
	h.fake.begin(job.EngineName)
	h.syncs(1)
	h.fake.end(job.EngineName, b.Number, engine.Lost)
	h.syncs(1)
	builds, err := h.Builds(t.Context(), h.ann.ID, job.ID)
	if err != nil || len(builds) != 1 || builds[0].State != engine.Lost {
		t.Errorf("%d builds, %v", len(builds), err)
	}
}

// Neither where the engine loses the queued build, nor where another engine, which takes no secrets, has come.
func TestABuildThatWasGivenSecretsNeverBeginsWithoutThem(t *testing.T) {
	h := newFixture(t)
	job := h.add()
	if _, _, err := h.db.AddBuild(t.Context(), h.ann.ID, job.ID, []byte("sealed"), store.Limits{}, h.clock); err != nil {
		t.Fatal(err)
	}
	taker := h.Engine
	h.Engine = struct{ engine.Engine }{taker}
	h.syncs(3)
	if b := h.last(job); b.State != store.Queued || b.Ticket != "" || slices.Contains(h.fake.calls, "start") {
		t.Errorf("%+v, after %v", b, h.fake.calls)
	}
	h.Engine = taker
	h.syncs(1)
	h.fake.jobs[job.EngineName].waiting = nil
	h.syncs(3)
	if want := []string{job.EngineName + ":sealed", job.EngineName + ":"}; !slices.Equal(h.fake.secrets, want) ||
		h.last(job).Ticket != "t2" {
		t.Errorf("%q, %+v", h.fake.secrets, h.last(job))
	}
}
