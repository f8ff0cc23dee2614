package reconcile

import (
	"testing"
	"time"

	"toaster.do/lib/store"
)

// TestExpectedEndKnowsWhetherTheBaseWasCached: a build with a cached base is not expected to take as long as the one
// before it, which had none.
func TestExpectedEndKnowsWhetherTheBaseWasCached(t *testing.T) {
	at := func(seconds int) time.Time { return time.Unix(1700000000+int64(seconds), 0) }
	build := func(prepare, rest int, cached bool) []store.Phase {
		return []store.Phase{{Name: "prepare", At: at(0), Cached: cached}, {Name: "step", Step: 1, At: at(prepare)},
			{Name: "pack", At: at(prepare + rest/2)}, {Name: "end", At: at(prepare + rest)}}
	}
	cold, warm := build(100, 20, false), build(3, 20, true)
	for name, c := range map[string]struct {
		now  []store.Phase
		past [][]store.Phase
		want int
	}{
		"nothing is known":                {nil, nil, 0},
		"the first build":                 {cold[:1], nil, 0},
		"no cache, as before":             {cold[:1], [][]store.Phase{cold}, 120},
		"a cache, after builds with one":  {warm[:1], [][]store.Phase{cold, warm}, 23},
		"a cache, for the first time":     {warm[:1], [][]store.Phase{cold}, 0},
		"a cache, and it is past that":    {warm[:2], [][]store.Phase{cold}, 23},
		"no cache, after a build with it": {cold[:2], [][]store.Phase{warm}, 120},
		"a build without times": {warm[:2],
			[][]store.Phase{{{Name: "step", Step: 1}}, nil, cold[:3], warm}, 23},
	} {
		if got := expectedDuration(c.now, c.past); got != time.Duration(c.want)*time.Second {
			t.Errorf("%s: %s, want %d s", name, got, c.want)
		}
	}
}
