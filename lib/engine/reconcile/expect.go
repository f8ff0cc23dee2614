package reconcile

import (
	"time"

	"toaster.do/lib/store"
)

// expectedDuration is how long a build takes, going by what it has done and by the job's good builds, newest first: the
// preparation takes much longer without a cached base than with one, the rest doesn't. It is 0 where nothing is known.
func expectedDuration(now []store.Phase, past [][]store.Phase) time.Duration {
	took, cached, done := preparation(now)
	var alike, rest time.Duration
	for _, phases := range past {
		first, hit, ok := preparation(phases)
		end := last(phases)
		if !ok || end.Name != "end" || end.At.IsZero() {
			continue
		}
		if rest == 0 {
			rest = end.At.Sub(phases[0].At) - first
		}
		if alike == 0 && hit == cached {
			alike = first
		}
	}
	switch {
	case rest <= 0:
		return 0
	case done:
		return took + rest
	case alike > 0:
		return alike + rest
	}
	return 0
}

// preparation is how long it took, and whether the base was cached; ok is false where it is not over, or has no times.
func preparation(phases []store.Phase) (took time.Duration, cached, ok bool) {
	if len(phases) == 0 || phases[0].Name != "prepare" {
		return 0, false, false
	}
	cached = phases[0].Cached
	if len(phases) == 1 || phases[0].At.IsZero() || phases[1].At.IsZero() || phases[1].Name == "end" {
		return 0, cached, false
	}
	return max(0, phases[1].At.Sub(phases[0].At)), cached, true
}

func last(phases []store.Phase) store.Phase {
	if len(phases) == 0 {
		return store.Phase{}
	}
	return phases[len(phases)-1]
}
