package jenkins_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"toaster.do/lib/apperr"
)

// printing is a script that says as much before its step fails.
func printing(lines int) string {
	return fmt.Sprintf(`echo 'TOASTER-PHASE step 5'; echo 'TOASTER-STEP 12/13 133 RUN make'
seq -f 'line %%06.0f of a log that is long enough' %d; printf 'no end'; printf '\nTOASTER-FAILED 12/13 133 exit 2\ntoaster: failed: line 133 failed (exit code 2)\n'; exit 6`, lines)
}

// TestAFailureNobodyWatchedIsKnown: however long its log is, and with a note of Jenkins's at its head, one question
// tells the step, the line and the reason.
func TestAFailureNobodyWatchedIsKnown(t *testing.T) {
	for _, lines := range []int{0, 2000, 8000, 60000} {
		t.Run(fmt.Sprint(lines), func(t *testing.T) {
			h := newFixture(t, quick())
			h.engine.script = printing(lines)
			job := h.add()
			h.starts(job)
			h.quiets()
			b, err := h.Build(h.Context(), h.ann.ID, job.ID, 1)
			if err != nil || b.State != "failed" || b.Step != 12 || b.Steps != 13 || b.StepLine != 133 ||
				b.Failure.String() != "Line 133 failed (exit code 2)" {
				t.Errorf("%v, step %d of %d, line %d, %q, %v", b.State, b.Step, b.Steps, b.StepLine, b.Failure, err)
			}
			state, err := h.db.ScanState(h.Context(), b)
			if err != nil || len(state.Phases) != 1 || len(state.Rest) > 0 {
				t.Errorf("%+v, %v", state, err)
			}
			asked := fmt.Sprint(h.controller.Requests())
			if n := strings.Count(asked, "progressiveText"); n > 4 {
				t.Errorf("%d questions for the log: %s", n, asked)
			}
		})
	}
}

// TestAWholeLogIsWhole: it comes in one answer, and where Jenkins breaks off, that is an error.
func TestAWholeLogIsWhole(t *testing.T) {
	h := newFixture(t, quick())
	h.engine.script = printing(60000)
	job := h.add()
	h.starts(job)
	h.quiets()
	h.controller.Requests()
	log, err := h.WholeLog(h.Context(), h.ann.ID, job.ID, 1)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(log)
	log.Close()
	if err != nil || strings.Count(string(text), "of a log that is long enough\n") != 60000 ||
		strings.ContainsAny(string(text), "\r\x1b") {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if asked := h.controller.Requests(); len(asked) != 1 || !strings.Contains(fmt.Sprint(asked), "/consoleText") {
		t.Errorf("asked %v", asked)
	}
	// Jenkins goes away in the middle of its answer.
	h.controller.Once(http.MethodGet, "/consoleText",
		func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
			w.Write(text[:len(text)/2])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		})
	if log, err = h.WholeLog(h.Context(), h.ann.ID, job.ID, 1); err == nil {
		_, err = io.ReadAll(log)
		log.Close()
	}
	if apperr.KindOf(err) != apperr.Unavailable {
		t.Errorf("a log that breaks off gives %v", err)
	}
}
