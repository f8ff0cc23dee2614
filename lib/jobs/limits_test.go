package jobs

import (
	"strings"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
)

// refused wants a start that a limit forbids, and returns its fault.
func (h *fixture) refused(job *store.Job, kind apperr.Kind, say string) *apperr.Error {
	h.Helper()
	before, err := h.db.Builds(h.Context(), job.UserID, job.ID)
	if err != nil {
		h.Fatal(err)
	}
	_, _, err = h.Start(h.Context(), job.UserID, job.ID, nil)
	f := apperr.Of(err)
	if err == nil || f.Kind != kind || !strings.Contains(f.Message.String(), say) || f.Advice.IsZero() ||
		kind == apperr.Unavailable && f.After <= 0 {
		h.Fatalf("%+v", f)
	}
	if after, _ := h.db.Builds(h.Context(), job.UserID, job.ID); len(after) != len(before) {
		h.Error("a refused build was stored")
	}
	return f
}

func (h *fixture) begin(job *store.Job) *store.Build {
	h.Helper()
	b, already, err := h.Start(h.Context(), job.UserID, job.ID, nil)
	if err != nil || already {
		h.Fatal(already, err)
	}
	return b
}

// ends lets the running build of a job end well, with a file of some bytes.
func (h *fixture) ends(job *store.Job, b *store.Build, bytes int64) {
	h.Helper()
	o := store.Observation{Build: &store.Build{JobID: job.ID, Number: b.Number, Ticket: b.Ticket, EngineNumber: b.Number,
		State: store.Succeeded, StartedAt: h.clock, EndedAt: h.clock}, Ticket: b.Ticket, AskedAt: b.AskedAt}
	if err := h.db.Observe(h.Context(), job.ID, h.clock, []store.Observation{o}); err != nil {
		h.Fatal(err)
	}
	if err := h.db.Finalize(h.Context(), b, []store.Artifact{{Path: "image", Size: bytes}}); err != nil {
		h.Fatal(err)
	}
}

func TestAPersonsBuildsAtOnceAreLimited(t *testing.T) {
	h := newFixture(t)
	h.Limits.Builds.Running = 1
	first, second := h.add(), h.add()
	b := h.begin(first)
	h.refused(second, apperr.ResourceExhausted, "Your limit is 1")
	if _, already, err := h.Start(t.Context(), h.ann.ID, first.ID, nil); err != nil || !already {
		t.Error("the build that waits is not found any more: ", err)
	}
	h.ends(first, b, 1)
	h.begin(second)
}

func TestAnothersBuildsDontCount(t *testing.T) {
	h := newFixture(t)
	h.Limits.Builds.Running = 1
	h.begin(h.add())
	h.ann = h.user("bob@example.org")
	h.begin(h.add())
}

func TestALimitOfOnesOwnCounts(t *testing.T) {
	h := newFixture(t)
	h.Limits.Builds = store.Limits{Running: 1, Daily: 1}
	two := 2
	if err := h.db.SetLimits(t.Context(), h.ann.ID, store.LimitOverrides{Running: &two, Daily: &two},
		store.AuditEntry{At: h.clock, Means: "toasterctl"}); err != nil {
		t.Fatal(err)
	}
	h.begin(h.add())
	h.begin(h.add())
	h.refused(h.add(), apperr.ResourceExhausted, "Your limit is 2")
}

func TestBuildsADayAreLimitedAlsoOfJobsThatAreGone(t *testing.T) {
	h := newFixture(t)
	h.Limits.Builds.Daily = 2
	job := h.add()
	h.ends(job, h.begin(job), 1)
	if err := h.Remove(t.Context(), h.ann.ID, job.ID); err != nil {
		t.Fatal(err)
	}
	h.clock = h.clock.Add(time.Hour)
	job = h.add()
	h.ends(job, h.begin(job), 1)
	f := h.refused(job, apperr.ResourceExhausted, "2 builds in the last 24 hours")
	if f.After != 23*time.Hour {
		t.Error(f.After)
	}
	h.clock = h.clock.Add(f.After)
	h.begin(job)
}

func TestWhatBuildsLeaveIsLimited(t *testing.T) {
	h := newFixture(t)
	h.Limits.Builds.Bytes = 3 << 30
	job := h.add()
	h.ends(job, h.begin(job), 3<<30)
	f := h.refused(job, apperr.ResourceExhausted, "Your limit is 3.0 GiB")
	if !strings.Contains(f.Advice.String(), "“"+job.Name+"” uses 3.0 GiB") {
		t.Error(f.Advice)
	}
	if err := h.Remove(t.Context(), h.ann.ID, job.ID); err != nil {
		t.Fatal(err)
	}
	h.begin(h.add())
}

func TestALongQueueTakesNoMore(t *testing.T) {
	h := newFixture(t)
	h.Limits.Builds.Queue = 1
	h.begin(h.add())
	h.ann = h.user("bob@example.org")
	h.refused(h.add(), apperr.Unavailable, "takes no more")
}

func TestOldBuildsAreRemovedFromTheEngine(t *testing.T) {
	h := newFixture(t)
	h.Limits.Builds.KeepDays = 30
	job := h.add()
	h.ends(job, h.begin(job), 7)
	h.clock = h.clock.Add(29 * 24 * time.Hour)
	h.expire()
	if len(h.fake.expired) > 0 {
		t.Fatal("too early")
	}
	h.clock = h.clock.Add(25 * time.Hour)
	h.fake.faults = []string{"expire:before"}
	if err := h.Expire(t.Context()); err == nil {
		t.Error("an engine that is away is no error")
	}
	if b, _ := h.db.Build(t.Context(), h.ann.ID, job.ID, 1); !b.ExpiredAt.IsZero() {
		t.Error("it is said to be gone while it is there")
	}
	h.expire()
	if len(h.fake.expired) != 1 || h.fake.expired[0] != job.EngineName+"/1" {
		t.Error(h.fake.expired)
	}
	b, err := h.db.Build(t.Context(), h.ann.ID, job.ID, 1)
	if err != nil || !b.ExpiredAt.Equal(h.clock) || b.State != store.Succeeded {
		t.Errorf("%+v %v", b, err)
	}
	if _, err := h.Service.Log(t.Context(), h.ann.ID, job.ID, 1, 0); apperr.KindOf(err) != apperr.Gone ||
		!strings.Contains(err.Error(), "were deleted on") {
		t.Error(err)
	}
	if u, err := h.db.Usage(t.Context(), h.ann.ID, h.clock); err != nil || u.Bytes != 0 || u.Jobs != 1 {
		t.Errorf("%+v %v", u, err)
	}
}

func TestBuildsBeyondWhatTheEngineKeepsExpire(t *testing.T) {
	h := newFixture(t)
	h.Limits.Keep = 2
	job := h.add()
	for range 3 {
		h.ends(job, h.begin(job), 1)
		h.clock = h.clock.Add(time.Minute)
	}
	h.expire()
	if len(h.fake.expired) != 1 || h.fake.expired[0] != job.EngineName+"/1" {
		t.Error(h.fake.expired)
	}
}

func (h *fixture) expire() {
	h.Helper()
	if err := h.Expire(h.Context()); err != nil {
		h.Fatal(err)
	}
}

// change stores new sources of some size.
func (h *fixture) change(job *store.Job, base, bytes int) error {
	_, err := h.Update(h.Context(), h.ann.ID, job.ID, base,
		Submission{Dockerfile: []byte("FROM debian:bookworm\nRUN true\n" + strings.Repeat("#", bytes))})
	return err
}

func TestSourcesThatNoBuildWasMadeFromAreForgotten(t *testing.T) {
	h := newFixture(t)
	h.Limits.Sources = 25 << 10
	job := h.add()
	h.ends(job, h.begin(job), 1)
	for base := 1; base < 20; base++ { // more than the limit, but for what is forgotten
		if err := h.change(job, base, 10<<10); err != nil {
			t.Fatal(base, err)
		}
	}
	for number, there := range map[int]bool{1: true, 10: false, 20: true} {
		if _, err := h.Source(t.Context(), h.ann.ID, job.ID, number); (err == nil) != there {
			t.Errorf("revision %d: %v", number, err)
		}
	}
	_, err := h.Update(t.Context(), h.ann.ID, job.ID, 10,
		Submission{Dockerfile: []byte("FROM debian:bookworm\nCOPY x /\n"), KeepContext: true})
	if apperr.KindOf(err) != apperr.FailedPrecondition {
		t.Error("with the context of a revision that is forgotten: ", err)
	}
	if err := h.change(job, 10, 5); apperr.KindOf(err) != apperr.FailedPrecondition {
		t.Error("from a revision that is forgotten: ", err)
	}
}

func TestSourcesAreLimited(t *testing.T) {
	h := newFixture(t)
	h.Limits.Sources = 25 << 10
	job := h.add()
	for base := 1; ; base++ {
		h.ends(job, h.begin(job), 1)
		err := h.change(job, base, 10<<10)
		if err == nil && base < 3 {
			continue
		}
		if f := apperr.Of(err); base != 3 || f.Kind != apperr.ResourceExhausted || !strings.Contains(f.Advice.String(),
			"“"+job.Name+"” uses 30.1 KiB") {
			t.Fatalf("%d: %+v", base, f)
		}
		break
	}
	if _, err := h.Source(t.Context(), h.ann.ID, job.ID, 4); err == nil {
		t.Error("it was stored all the same")
	}
}

func TestAnyNumberOfJobsCanBeAddedInTheSameSecond(t *testing.T) {
	h := newFixture(t)
	h.Limits.Jobs = 0
	names := map[string]bool{}
	for range 300 {
		names[strings.ToLower(h.add().EngineName)] = true
	}
	if len(names) != 300 {
		t.Errorf("%d names", len(names))
	}
}
