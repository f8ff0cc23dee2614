package jobs

import (
	"slices"
	"testing"

	"toaster.do/lib/store"
)

func TestSuspensionStopsWhatRunsAlsoWhenTheEngineIsAway(t *testing.T) {
	h := newFixture(t)
	boss := &store.User{Email: "boss@example.org", Role: store.RoleAdmin, State: store.Active, MaxJobs: -1,
		CreatedAt: h.clock}
	if err := h.db.AddUser(t.Context(), boss); err != nil {
		t.Fatal(err)
	}
	job := h.add()
	b := h.begin(job)
	h.fake.begin(job.EngineName)
	h.syncs(1)
	if b, _ = h.db.Build(t.Context(), h.ann.ID, job.ID, b.Number); b.State != store.Running {
		t.Fatal(b.State)
	}
	h.fake.calls, h.fake.faults = nil, []string{"status:before"}
	if err := h.Suspend(t.Context(), h.ann.ID, store.AuditEntry{At: h.clock, Actor: boss.ID, Means: "web"}); err != nil {
		t.Fatal(err)
	}
	h.syncs(2)
	if b, _ = h.db.Build(t.Context(), h.ann.ID, job.ID, b.Number); b.State != store.Aborted ||
		!slices.Contains(h.fake.calls, "stop") || b.Why().String() != "Stopped: the account was suspended." {
		t.Error(b.State, b.Why(), h.fake.calls)
	}
}

func TestAnAdministratorStopsABuildAndTheTrailSaysSo(t *testing.T) {
	h := newFixture(t)
	job := h.add()
	b := h.begin(job)
	h.fake.begin(job.EngineName)
	h.syncs(1)
	if err := h.StopFor(t.Context(), h.ann.ID, job.ID,
		store.AuditEntry{At: h.clock, Actor: 9, Means: "web", Address: "192.0.2.1"}); err != nil {
		t.Fatal(err)
	}
	if err := h.Stop(t.Context(), h.ann.ID, job.ID); err != nil { // too late
		t.Fatal(err)
	}
	h.syncs(1)
	if b, _ = h.db.Build(t.Context(), h.ann.ID, job.ID, b.Number); b.State != store.Aborted ||
		b.Why().String() != "Stopped by an administrator." {
		t.Error(b.State, b.Why())
	}
	trail, err := h.db.AuditEntries(t.Context(), store.AuditQuery{Object: "job " + job.ID, Limit: 9})
	if err != nil || len(trail) != 1 || trail[0].Action != "job.stop" || trail[0].Actor != 9 {
		t.Errorf("%+v %v", trail, err)
	}
}
