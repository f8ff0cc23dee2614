package jobs

import (
	"slices"
	"testing"
	"time"
)

// A job that the engine doesn't answer about keeps the others waiting for one sync at most.
func TestSyncGoesOnWhereItStopped(t *testing.T) {
	h := newFixture(t)
	var names []string
	for range 3 {
		h.fake.faults = []string{"create:before"}
		names = append(names, h.add().EngineName)
		h.clock = h.clock.Add(time.Second)
	}
	h.fake.faults = []string{"create:before"}
	h.fake.calls = nil
	if _, err := h.Reconcile(t.Context()); err == nil || !slices.Equal(h.fake.calls, []string{"status", "create"}) {
		t.Errorf("an engine that is away: %v, calls %v", err, h.fake.calls)
	}
	// The first job is refused again, but the others have their turn before it.
	h.fake.faults = []string{"", "", "create:before"}
	for i := range h.fake.faults[:2] {
		h.fake.faults[i] = "create:well"
	}
	if _, err := h.Reconcile(t.Context()); err == nil {
		t.Error("no error")
	}
	for i, name := range names {
		if there := h.fake.jobs[name] != nil; there != (i > 0) {
			t.Errorf("job %d is there: %v", i, there)
		}
	}
	if _, err := h.Reconcile(t.Context()); err != nil || h.fake.jobs[names[0]] == nil {
		t.Errorf("at last: %v", err)
	}
}
