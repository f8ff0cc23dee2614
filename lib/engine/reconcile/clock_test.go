package reconcile

import (
	"math"
	"testing"
	"time"
)

func TestElapsed(t *testing.T) {
	now := time.Now()
	for _, c := range []struct{ then, want time.Duration }{
		{-time.Hour, time.Hour}, {0, 0}, {time.Second, 0}, {time.Hour, math.MaxInt64},
	} {
		if got := elapsed(now, now.Add(c.then)); got != c.want {
			t.Errorf("%s from now: %s, not %s", c.then, got, c.want)
		}
	}
	if got := notBefore(now, now.Add(-time.Hour)); !got.Equal(now) {
		t.Errorf("it ends %s before it begins", now.Sub(got))
	}
}
