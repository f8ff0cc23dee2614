package jenkins_test

import (
	"testing"
	"time"
)

// A page waits for the controller once at most: a second question to one that says nothing would keep its reader
// waiting twice as long.
func TestAPageAsksASilentControllerOnce(t *testing.T) {
	h := newFixture(t, quick())
	h.engine.script = "sleep 600"
	job := h.add()
	h.starts(job)
	h.becomes(job, "running")
	seen := h.Now()
	for _, page := range []struct {
		name string
		open func() error
	}{
		{"job", func() error { _, err := h.Job(t.Context(), h.ann.ID, job.ID); return err }},
		{"build", func() error { _, err := h.Build(t.Context(), h.ann.ID, job.ID, 1); return err }},
		{"start", func() error { _, _, err := h.Start(t.Context(), h.ann.ID, job.ID, nil); return err }},
		{"stop", func() error { return h.Stop(t.Context(), h.ann.ID, job.ID) }},
		{"switch", func() error { return h.SetEnabled(t.Context(), h.ann.ID, job.ID, false) }},
	} {
		h.controller.Hang()
		h.ahead.Add(int64(time.Minute))
		h.controller.Requests()
		if err := page.open(); err != nil {
			t.Errorf("%s: %v", page.name, err)
		}
		if asked := h.controller.Requests(); len(asked) > 1 {
			t.Errorf("%s asked %d times: %v", page.name, len(asked), asked)
		}
		h.well()
	}
	known, err := h.db.Job(t.Context(), h.ann.ID, job.ID)
	if err != nil || known.SeenAt.After(seen.Add(time.Second)) {
		t.Errorf("the page takes its states for those of %v; they were seen until %v", known.SeenAt, seen)
	}
}
