package jenkins_test

import (
	"testing"
	"time"
)

// The answer to a start is lost, and whoever looks next looks in the moment when the item has left the queue and its
// build is not listed yet, or is listed and doesn't know its item.
func TestAStartWithoutAnswerThatIsLookedForInTheWrongMoment(t *testing.T) {
	for _, after := range []time.Duration{5, 60, 130, 170, 220} {
		t.Run((after * time.Millisecond).String(), func(t *testing.T) {
			t.Parallel()
			opt := quick()
			opt.LeaveWindow = 200 * time.Millisecond
			h := newFixture(t, opt)
			h.controller.DropAnswer("POST", "^/job/[^/]+/build$")
			job := h.add()
			h.starts(job)
			time.Sleep(after * time.Millisecond)
			h.settles(job, "succeeded", 1)
		})
	}
}
