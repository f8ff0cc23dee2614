package local

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
)

// drain drains the fixture's runners, and returns what is said and how it ends.
func (h *fixture) drain(ctx context.Context, limit time.Duration) (said string, err error) {
	var lines []string
	err = Drain(ctx, h.db, h.Dir, limit, func(line string) { lines = append(lines, line) })
	return strings.Join(lines, "\n"), err
}

func TestADrainInterruptsNothing(t *testing.T) {
	h := newFixture(t)
	if said, err := h.drain(t.Context(), 0); err != nil || said != "No runner is running." {
		t.Errorf("without a runner: %q, %v", said, err)
	}
	r := h.process()
	h.create("runs", "echo begun", "while ! test -e "+filepath.Join(h.Dir, "go")+"; do sleep 0.1; done",
		"mkdir dist; echo image >dist/image")
	h.create("waits", "echo hello")
	b := h.becomes("runs", h.start("runs"), engine.Running)
	said, err := h.drain(t.Context(), time.Second)
	if f := apperr.Of(err); f.Kind != apperr.FailedPrecondition ||
		!strings.Contains(f.Message.String(), "build 1 of runs") ||
		!strings.Contains(said, "It ends with those that run: build 1 of runs.") {
		t.Errorf("after the limit: %q, %+v", said, f)
	}
	waiting := h.start("waits")
	h.until("the page says why it waits", func() bool {
		w := h.status("waits").Waiting
		return w != nil && w.Reason.String() == "waits for the runner to restart"
	})
	cut, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.drain(cut, 0); apperr.KindOf(err) != apperr.FailedPrecondition {
		t.Errorf("interrupted: %v", err)
	}
	if err := os.WriteFile(filepath.Join(h.Dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := h.drain(t.Context(), time.Minute); err != nil ||
		!strings.HasSuffix(said, "no build was interrupted.") {
		t.Errorf("%q, %v", said, err)
	}
	if err := r.Wait(); err != nil {
		t.Errorf("the drained runner: %v", err)
	}
	h.becomes("runs", b.Ticket, engine.Succeeded)
	if w := h.status("waits").Waiting; w == nil || w.Ticket != waiting {
		t.Errorf("what waited: %+v", w)
	}
	// The next runner is not the one that was asked.
	h.process()
	h.becomes("waits", waiting, engine.Succeeded)
}
