package local

import (
	"path/filepath"
	"strings"
	"testing"

	"toaster.do/lib/engine"
)

// Each build that runs has ids that no other has, whichever runner it is of.
func TestBuildsShareNoIDs(t *testing.T) {
	h := newFixture(t)
	ids := []int{200000, 265536, 331072}
	h.runner(func(r *Runner) { r.IDs = ids })
	for _, name := range []string{"one", "two"} {
		h.create(name, `echo "$TOASTER_IDS"`, "sleep 600")
	}
	seen := ""
	for _, name := range []string{"one", "two"} {
		b := h.becomes(name, h.start(name), engine.Running)
		h.until("it says its ids", func() bool { return strings.HasSuffix(h.log(name, b.Number), "\n") })
		seen += h.log(name, b.Number)
	}
	if seen != "200000\n265536\n" {
		t.Errorf("the ids are %q", seen)
	}
	// A second runner gets what is left, and a third nothing.
	second := newHostile(t, Executor{Dir: filepath.Join(t.TempDir(), "builds"), WorkDir: h.WorkDir, IDs: ids,
		Concurrency: 2})
	if second.Concurrency != 1 {
		t.Errorf("it has %d slots", second.Concurrency)
	}
	dispatcherConn, executorConn, err := connPair()
	if err != nil {
		t.Fatal(err)
	}
	defer dispatcherConn.Close()
	third := Executor{Dir: filepath.Join(t.TempDir(), "builds"), WorkDir: h.WorkDir, Make: theDockerfile, IDs: ids}
	if err := third.Run(t.Context(), executorConn); err == nil ||
		!strings.Contains(err.Error(), "another runner uses all") {
		t.Errorf("the third runner: %v", err)
	}
}
