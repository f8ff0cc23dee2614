package reconcile

import (
	"math"
	"time"
)

// maxClockSkew is the most that the clocks of two processes may seem to differ: one may wait for the other between
// looking and writing.
const maxClockSkew = time.Minute

// elapsed is how long ago a moment was that some process noted. One that lies further ahead than maxClockSkew was noted
// before the clock was set back: nobody knows how long ago that was, so nothing is to wait for it.
func elapsed(now, then time.Time) time.Duration {
	switch d := now.Sub(then); {
	case d >= 0:
		return d
	case d > -maxClockSkew:
		return 0
	}
	return math.MaxInt64
}

// notBefore is now, or begin where the clock was set back since: nothing ends before it begins.
func notBefore(begin, now time.Time) time.Time {
	if now.Before(begin) {
		return begin
	}
	return now
}
