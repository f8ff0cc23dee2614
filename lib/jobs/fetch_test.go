package jobs

import (
	"testing"

	"toaster.do/lib/store"
)

// TestNoOwnerTakesAllFetches: somebody's slow server keeps nobody else waiting.
func TestNoOwnerTakesAllFetches(t *testing.T) {
	f := fetches{running: map[string]int64{}, failed: map[string]bool{"failed": true}}
	due := func(job string, owner int64) store.Fetch {
		return store.Fetch{GitSource: &store.GitSource{JobID: job}, Owner: owner}
	}
	all := []store.Fetch{due("failed", 3), due("a1", 1), due("a2", 1), due("b1", 2), due("c1", 3)}
	for _, want := range []string{"a1", "b1", ""} {
		got := ""
		if next := f.next(all); next != nil {
			got = next.JobID
			f.running[got] = next.Owner
		}
		if got != want {
			t.Errorf("%q begins, not %q", got, want)
		}
	}
	delete(f.running, "b1")
	if next := f.next(all[:4]); next == nil || next.JobID != "b1" {
		t.Errorf("%+v", next)
	}
	if next := f.next(all[:3]); next != nil {
		t.Errorf("%s begins beside another of its owner", next.JobID)
	}
}
