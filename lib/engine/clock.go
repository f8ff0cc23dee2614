package engine

import (
	"math"
	"time"
)

// apart is the most that two processes may differ in what they take for now: one may wait for the other between looking and writing.
const apart = time.Minute

// since is how long ago a moment was that some process noted. One that lies further ahead than processes are apart was noted before the
// clock was set back: nobody knows how long ago that was, so nothing is to wait for it.
func since(now, then time.Time) time.Duration {
	switch d := now.Sub(then); {
	case d >= 0:
		return d
	case d > -apart:
		return 0
	}
	return math.MaxInt64
}

// after is now, or begin where the clock was set back since: nothing ends before it begins.
func after(begin, now time.Time) time.Time {
	if now.Before(begin) {
		return begin
	}
	return now
}
