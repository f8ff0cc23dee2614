package jenkins_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/store"
)

// images are the builds of a job whose image Jenkins still has.
func (h *fixture) images(job *store.Job) (numbers []int) {
	h.Helper()
	for number := 1; number <= len(strings.Split(h.at(job), ", ")); number++ {
		s, err := h.engine.Open(h.Context(), job.EngineName, number, "image", engine.Range{})
		if err == nil {
			s.Close()
			numbers = append(numbers, number)
		} else if apperr.KindOf(err) != apperr.NotFound {
			h.Fatal(err)
		}
	}
	return numbers
}

func (h *fixture) expire() {
	h.Helper()
	if err := h.Expire(h.Context()); err != nil {
		h.Fatal(err)
	}
}

func TestTheLastGoodImageOutlivesFailures(t *testing.T) {
	t.Parallel()
	h := newFixture(t, quick())
	h.Limits.Keep = 1
	h.engine.script = "test ! -e " + h.engine.ran + ".fail"
	job := h.add()
	h.starts(job)
	h.becomes(job, "succeeded")
	h.touch(".fail")
	for n := range 4 {
		h.starts(job)
		h.becomes(job, "succeeded"+strings.Repeat(", failed", n+1))
		h.quiets()
		h.expire()
	}
	if got := h.images(job); !slices.Equal(got, []int{1}) {
		t.Errorf("Jenkins has the images of %v", got)
	}
	all, err := h.engine.Status(t.Context(), job.EngineName)
	if builds := all[job.EngineName].Builds; err != nil || len(builds) != 2 || builds[0].Number != 5 ||
		builds[1].Number != 1 {
		t.Errorf("Jenkins has %+v, %v", builds, err)
	}
}

// A kept build is kept in Jenkins, too: also when toaster can't say so at once, and when somebody keeps it there by
// hand.
func TestAKeptBuildIsKeptInJenkins(t *testing.T) {
	t.Parallel()
	h := newFixture(t, quick())
	h.Limits.Keep = 1
	job := h.add()
	build := func(wanted string) {
		t.Helper()
		h.starts(job)
		h.becomes(job, wanted)
		h.quiets()
	}
	keepLog := func(number int) bool {
		t.Helper()
		err := h.engine.Engine.Expire(t.Context(), job.EngineName, number)
		return apperr.KindOf(err) == apperr.FailedPrecondition
	}
	build("succeeded")
	h.controller.DropRequest("POST", "/1/toggleLogKeep$")
	if b, err := h.Keep(t.Context(), h.ann.ID, job.ID, 1, true); err != nil || !b.Kept {
		t.Fatalf("%+v, %v", b, err)
	}
	h.quiets()
	if !keepLog(1) {
		t.Error("Jenkins was not told")
	}
	build("succeeded, succeeded")
	h.byHand("POST", fmt.Sprintf("/job/%s/2/toggleLogKeep", job.EngineName), "")
	build("succeeded, succeeded, succeeded")
	h.expire()
	if got := h.images(job); !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("Jenkins has the images of %v", got)
	}
	if b, err := h.db.Build(t.Context(), h.ann.ID, job.ID, 2); err != nil || !b.Kept {
		t.Errorf("what somebody keeps in Jenkins: %+v, %v", b, err)
	}
	for _, number := range []int{1, 2} {
		if _, err := h.Keep(t.Context(), h.ann.ID, job.ID, number, false); err != nil {
			t.Fatal(err)
		}
	}
	h.quiets()
	h.expire()
	if got := h.images(job); !slices.Equal(got, []int{3}) {
		t.Errorf("Jenkins has the images of %v", got)
	}
}
