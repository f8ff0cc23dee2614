package jobs

import (
	"context"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/image"
	"toaster.do/lib/store"
)

// scheduled adds a job that is built every day.
func (h *fixture) scheduled(text string) *store.Job {
	h.Helper()
	job, err := h.Add(h.Context(), h.ann, Submission{Target: rootfs, Schedule: "day", Dockerfile: []byte(text)})
	if err != nil {
		h.Fatal(err)
	}
	return job
}

// schedule is that of a job, and how far ahead its next time is.
func (h *fixture) schedule(job *store.Job) (s store.Schedule, ahead time.Duration) {
	h.Helper()
	s, err := h.db.Schedule(h.Context(), h.ann.ID, job.ID)
	if err != nil {
		h.Fatal(err)
	}
	return s, s.NextAt.Sub(h.clock)
}

// postponed sees that a job is tried again soon, and says why.
func (h *fixture) postponed(job *store.Job, why string) {
	h.Helper()
	s, ahead := h.schedule(job)
	if h.last(job) != nil || ahead < 10*time.Minute-time.Second || ahead > 30*time.Minute ||
		!strings.Contains(s.Problem.String(), why) {
		h.Errorf("it is built in %s: %s", ahead, s.Problem)
	}
}

// TestAScheduledBuildIsPostponed by what passes, and not left out for a day.
func TestAScheduledBuildIsPostponed(t *testing.T) {
	h := newFixture(t)
	h.Limits.Builds.Running = 1
	busy, job := h.add(), h.scheduled("FROM debian:bookworm\nRUN true\n")
	if _, _, err := h.Start(t.Context(), h.ann.ID, busy.ID, nil); err != nil {
		t.Fatal(err)
	}
	s, _ := h.schedule(job)
	h.clock = s.NextAt
	if err := h.StartDue(t.Context()); err != nil {
		t.Error(err)
	}
	h.postponed(job, "Your limit is 1.")
	h.behind("UPDATE build SET state = 'succeeded', finalized = 1")
	h.clock = h.clock.Add(30 * time.Minute)
	if err := h.StartDue(t.Context()); err != nil {
		t.Error(err)
	}
	if s, ahead := h.schedule(job); h.last(job) == nil || !h.last(job).Scheduled || ahead < 12*time.Hour ||
		!s.Problem.IsZero() {
		t.Errorf("it is built in %s: %s", ahead, s.Problem)
	}
}

// endless is a registry that answers only when there is no time left.
type endless struct{ end context.CancelFunc }

func (e endless) LookUp(ctx context.Context, wants []image.Want, own image.Want) (image.Lock, []image.Problem) {
	e.end()
	return registries{"alpine": "2", "golang:1.22": "1"}.LookUp(ctx, wants, own)
}

func TestAScheduledBuildWithoutTimeIsPostponed(t *testing.T) {
	h := withImages(t, registries{"alpine": "2", "golang:1.22": "1"})
	job := h.scheduled(twoStages)
	s, _ := h.schedule(job)
	h.clock = s.NextAt
	ctx, cancel := context.WithCancel(t.Context())
	h.Images = endless{cancel}
	if err := h.StartDue(ctx); err == nil {
		t.Error("nobody is told")
	}
	h.postponed(job, "no time left")
}

// TestScheduledBuildsAreQueuedAFewAtATime: after a pause of the site, most jobs are due at once.
func TestScheduledBuildsAreQueuedAFewAtATime(t *testing.T) {
	h := newFixture(t)
	h.Limits.Jobs = 0
	for range scheduledAtOnce + 1 {
		h.scheduled("FROM debian:bookworm\nRUN true\n")
	}
	h.clock = h.clock.Add(7 * 24 * time.Hour)
	for _, want := range []int{scheduledAtOnce, scheduledAtOnce + 1, scheduledAtOnce + 1} {
		if err := h.StartDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		page, err := h.db.Jobs(t.Context(), h.ann.ID, store.JobQuery{State: store.Queued})
		if err != nil || page.Found != want {
			t.Errorf("%d are queued, not %d; %v", page.Found, want, err)
		}
	}
}
