package jobs

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/store"
)

// builds lets a build of a job end, for each state.
func (h *fixture) builds(job *store.Job, states ...engine.State) {
	h.Helper()
	for _, state := range states {
		b := h.begin(job)
		h.fake.begin(job.EngineName)
		h.syncs(1)
		h.fake.end(job.EngineName, b.Number, state)
		h.syncs(1)
	}
}

// there are the builds of a job whose log and artifacts are there.
func (h *fixture) there(job *store.Job) (numbers []int) {
	h.Helper()
	builds, err := h.Builds(h.Context(), h.ann.ID, job.ID)
	if err != nil {
		h.Fatal(err)
	}
	for _, b := range slices.Backward(builds) {
		_, err := h.Service.Log(h.Context(), h.ann.ID, job.ID, b.Number, 0)
		if gone := err != nil && apperr.KindOf(err) == apperr.Gone; !gone {
			numbers = append(numbers, b.Number)
		}
	}
	return numbers
}

func TestFailuresPushNoGoodBuildOut(t *testing.T) {
	const good, bad, stopped = engine.Succeeded, engine.Failed, engine.Aborted
	for _, c := range []struct {
		name   string
		states []engine.State
		there  []int
	}{
		{"one good, then failures", []engine.State{good, bad, bad, bad, bad, bad, bad}, []int{1, 6, 7}},
		{"good ones between failures", []engine.State{good, bad, good, bad, bad, good, bad, bad}, []int{3, 6, 7, 8}},
		{"stopped ones count as failures do", []engine.State{good, good, stopped, stopped, bad}, []int{1, 2, 4, 5}},
		{"none is good", []engine.State{bad, bad, bad}, []int{2, 3}},
		{"all are good", []engine.State{good, good, good}, []int{2, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newFixture(t)
			h.Limits.Keep = 2
			job := h.add()
			for _, state := range c.states {
				h.builds(job, state)
				h.expire()
			}
			if got := h.there(job); !slices.Equal(got, c.there) {
				t.Errorf("%v are there, want %v", got, c.there)
			}
		})
	}
}

func TestDaysOfTheNewestGoodBuildCountFromTheLastBuild(t *testing.T) {
	h := newFixture(t)
	h.Limits.Builds.KeepDays = 30
	job := h.add()
	h.builds(job, engine.Succeeded, engine.Succeeded)
	for range 4 {
		h.clock = h.clock.Add(20 * 24 * time.Hour)
		h.builds(job, engine.Failed)
		h.expire()
	}
	if got := h.there(job); !slices.Equal(got, []int{2, 5, 6}) {
		t.Errorf("while it is built again and again %v are there", got)
	}
	h.clock = h.clock.Add(31 * 24 * time.Hour)
	h.expire()
	if got := h.there(job); len(got) > 0 {
		t.Errorf("long after the last build %v are there", got)
	}
}

func TestAKeptBuildStaysUntilItIsLetGo(t *testing.T) {
	h := newFixture(t)
	h.Limits.Keep, h.Limits.Builds.KeepDays = 1, 30
	job := h.add()
	h.builds(job, engine.Failed, engine.Succeeded)
	for number := range 2 {
		if b, err := h.Keep(t.Context(), h.ann.ID, job.ID, number+1, true); err != nil || !b.Kept {
			t.Fatalf("%+v, %v", b, err)
		}
	}
	h.builds(job, engine.Succeeded, engine.Failed, engine.Succeeded)
	h.clock = h.clock.Add(90 * 24 * time.Hour)
	h.expire()
	if got := h.there(job); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("%v are there", got)
	}
	if u, err := h.db.Usage(t.Context(), h.ann.ID, h.clock); err != nil || u.Bytes != 8 {
		t.Errorf("what is kept counts for its owner: %+v, %v", u, err)
	}
	for range 2 {
		if b, err := h.Keep(t.Context(), h.ann.ID, job.ID, 2, false); err != nil || b.Kept {
			t.Fatalf("%+v, %v", b, err)
		}
	}
	h.expire()
	if got := h.there(job); !slices.Equal(got, []int{1}) {
		t.Errorf("%v are there", got)
	}
	if u, err := h.db.Usage(t.Context(), h.ann.ID, h.clock); err != nil || u.Bytes != 4 {
		t.Errorf("what was let go: %+v, %v", u, err)
	}
	if _, err := h.Keep(t.Context(), h.ann.ID, job.ID, 2, true); apperr.KindOf(err) != apperr.Gone {
		t.Errorf("keeping what is gone: %v", err)
	}
	bob := h.user("bob@example.org")
	if _, err := h.Keep(t.Context(), bob.ID, job.ID, 1, false); apperr.KindOf(err) != apperr.NotFound {
		t.Errorf("another person's: %v", err)
	}
}

// Nobody is told that a build is kept which is removed at the same moment.
func TestKeepingABuildThatIsJustRemoved(t *testing.T) {
	h := newFixture(t)
	h.Limits.Keep = 1
	job := h.add()
	h.builds(job, engine.Succeeded, engine.Succeeded)
	var err error
	h.fake.during = func() { _, err = h.Keep(t.Context(), h.ann.ID, job.ID, 1, true) }
	h.expire()
	if apperr.KindOf(err) != apperr.Gone || err == nil {
		t.Errorf("keeping what is being removed: %v", err)
	}
	if got := h.there(job); !slices.Equal(got, []int{2}) {
		t.Errorf("%v are there", got)
	}
}

// A process is killed while it removes a build: the next sync goes on.
func TestARemovalThatWasCutOff(t *testing.T) {
	for _, how := range []string{"killed-before", "killed-after"} {
		h := newFixture(t)
		h.Limits.Keep = 1
		job := h.add()
		h.builds(job, engine.Succeeded, engine.Succeeded)
		h.fake.faults = []string{"expire:" + how}
		survive(func() { h.Expire(t.Context()) })
		h.Limits.Keep = 5
		h.expire()
		if got := h.there(job); !slices.Equal(got, []int{2}) {
			t.Errorf("%s: %v are there", how, got)
		}
	}
}

// What somebody has the engine keep is kept, and sync has nothing to complain about.
func TestAnEngineThatKeepsABuild(t *testing.T) {
	h := newFixture(t)
	h.Limits.Keep = 1
	job := h.add()
	h.builds(job, engine.Succeeded, engine.Succeeded)
	h.fake.holds = true
	h.expire()
	if b, err := h.db.Build(t.Context(), h.ann.ID, job.ID, 1); err != nil || !b.Kept || !b.ExpiredAt.IsZero() {
		t.Errorf("%+v, %v", b, err)
	}
}

func TestWhatIsGoneSaysTrulyWhy(t *testing.T) {
	h := newFixture(t)
	h.Limits.Keep, h.Limits.Builds.KeepDays = 2, 30
	job := h.add()
	h.builds(job, engine.Succeeded, engine.Succeeded, engine.Succeeded)
	h.expire()
	h.clock = h.clock.Add(31 * 24 * time.Hour)
	h.expire()
	for number, want := range map[int]string{1: "the newest 2 successful builds and the newest 2 other builds are kept",
		2: "after 30 days"} {
		_, err := h.Service.Log(t.Context(), h.ann.ID, job.ID, number, 0)
		if f := apperr.Of(err); f.Kind != apperr.Gone || !strings.Contains(f.Message.String(), want) {
			t.Errorf("build %d: %+v", number, f)
		}
		if _, err := h.Open(t.Context(), h.ann.ID, job.ID, number, "image",
			engine.Range{}); apperr.KindOf(err) != apperr.Gone {
			t.Errorf("its image: %v", err)
		}
		if _, err := h.WholeLog(t.Context(), h.ann.ID, job.ID, number); apperr.KindOf(err) != apperr.Gone {
			t.Errorf("its whole log: %v", err)
		}
	}
}

// What a page says of how long builds stay is what sync does, whatever has happened.
func TestPagesSayHowLongBuildsStay(t *testing.T) {
	for round := range 20 {
		random := rand.New(rand.NewPCG(uint64(round), 1))
		h := newFixture(t)
		h.Limits.Keep, h.Limits.Builds.KeepDays = 1+random.IntN(3), []int{0, 10}[random.IntN(2)]
		job := h.add()
		for range 12 {
			h.builds(job, []engine.State{engine.Succeeded, engine.Failed, engine.Aborted}[random.IntN(3)])
			if random.IntN(5) == 0 {
				h.Keep(t.Context(), h.ann.ID, job.ID, 1+random.IntN(h.last(job).Number), random.IntN(2) == 0)
			}
			if random.IntN(4) == 0 {
				h.clock = h.clock.Add(time.Duration(random.IntN(12*24)) * time.Hour)
			}
			builds, err := h.Builds(t.Context(), h.ann.ID, job.ID)
			if err != nil {
				t.Fatal(err)
			}
			var want []int
			for number, s := range store.Stays(builds, h.Limits.Keep, h.Limits.Builds.KeepDays) {
				kept := slices.ContainsFunc(builds, func(b *store.Build) bool { return b.Number == number && b.Kept })
				if kept || s.Newer > 0 && (s.Until.IsZero() || !h.clock.After(s.Until)) {
					want = append(want, number)
				}
			}
			slices.Sort(want)
			h.expire()
			if got := h.there(job); !slices.Equal(got, want) {
				t.Fatalf("round %d, keep %d, %d days: %v are there, pages said %v", round, h.Limits.Keep,
					h.Limits.Builds.KeepDays, got, want)
			}
		}
	}
}
