package jenkins_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/buildlog"
	"toaster.do/lib/engine"
	"toaster.do/lib/store"
)

// longLog is a script that prints 8 MB before its step fails.
const longLog = `echo 'TOASTER-PHASE step 5'; echo 'TOASTER-STEP 12/13 133 RUN make'
seq -f 'line %06.0f, of a log that is long enough to be far too long for a page' 120000
printf 'TOASTER-FAILED 12/13 133 exit 2\ntoaster: failed: line 133 failed (exit code 2)\n'; exit 6`

// slow is a fixture whose Jenkins takes its time to begin to send long logs, as a real one does.
func slow(t *testing.T, script string) (*fixture, *store.Job) {
	opt := quick()
	opt.Spool = 150 * time.Millisecond
	h := newFixture(t, opt)
	h.engine.script = script
	job := h.add()
	h.starts(job)
	return h, job
}

// reads returns how often Jenkins was asked for the log, and how much of it was read before an answer began, in MiB.
func (h *fixture) reads(act func()) (requests int, spooled int64) {
	h.Helper()
	h.controller.Requests()
	before := h.controller.Spooled()
	act()
	for _, r := range h.controller.Requests() {
		if strings.Contains(r.Path, "ogText") || strings.Contains(r.Path, "/console") {
			requests++
		}
	}
	return requests, (h.controller.Spooled() - before) >> 20
}

func (h *fixture) log(job *store.Job) buildlog.Read {
	return func(offset int64) (engine.Chunk, error) {
		return h.Reconciler.Log(h.Context(), h.ann.ID, job.ID, 1, offset)
	}
}

// TestASyncReadsALongLogOnce: two questions, however long the log is, and Jenkins never holds all of it.
func TestASyncReadsALongLogOnce(t *testing.T) {
	h, job := slow(t, longLog)
	if n, spooled := h.reads(h.quiets); n > 3 || spooled > 0 {
		t.Errorf("%d questions, %d MiB read before", n, spooled)
	}
	if b := h.first(job); b.State != store.Failed || b.StepLine != 133 ||
		b.Failure.String() != "Line 133 failed (exit code 2)" {
		t.Errorf("%+v", b)
	}
	// Every part of it can be looked at now.
	end := h.first(job).LogOffset
	for _, at := range []int64{0, 1 << 20, end / 3, end/2 - 1, end - 100<<10} {
		var w buildlog.Window
		n, spooled := h.reads(func() {
			var err error
			if w, err = buildlog.From(h.log(job), at); err != nil {
				t.Fatal(at, err)
			}
		})
		if n > 3 || spooled > (end-at)>>20 || at < end/2 && spooled > 0 {
			t.Errorf("from %d of %d: %d questions, %d MiB read before", at, end, n, spooled)
		}
		if len(w.Lines) < 500 || at > 0 && !strings.Contains(string(w.Lines[1].Text), "of a log that is") {
			t.Errorf("from %d: %d lines", at, len(w.Lines))
		}
	}
	h.reads(func() {
		w, err := buildlog.End(h.log(job))
		if err != nil || !strings.Contains(string(w.Lines[len(w.Lines)-1].Text), "Finished: UNSTABLE") {
			t.Error(err, len(w.Lines))
		}
	})
}

// TestALongLogThatNobodyHasRead: its end is on the page at once, also before a sync has gone through it.
func TestALongLogThatNobodyHasRead(t *testing.T) {
	wrote := filepath.Join(t.TempDir(), "wrote")
	running := strings.Replace(longLog, "exit 6", "echo; touch "+wrote+"; sleep 600", 1)
	for name, script := range map[string]string{"ended": longLog, "running": running} {
		t.Run(name, func(t *testing.T) {
			h, job := slow(t, script)
			h.becomes(job, "running")
			if name == "ended" {
				if err := h.controller.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			for end := time.Now().Add(time.Minute); name == "running"; time.Sleep(10 * time.Millisecond) {
				if _, err := os.Stat(wrote); err == nil {
					break
				} else if time.Now().After(end) {
					t.Fatal(err)
				}
			}
			var w buildlog.Window
			for end := time.Now().Add(20 * time.Second); ; {
				n, spooled := h.reads(func() {
					var err error
					if w, err = buildlog.End(h.log(job)); err != nil {
						t.Fatal(err)
					}
				})
				if n > 4 || spooled > 1 {
					t.Fatalf("%d questions, %d MiB read before", n, spooled)
				}
				if slices.ContainsFunc(w.Lines, func(l buildlog.Line) bool { return strings.Contains(string(l.Text), "failed") }) {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("it ends with %d lines", len(w.Lines))
				}
			}
		})
	}
}

// What is skipped is exactly what is not read: part by part the log is whole.
func TestALongLogIsWholePartByPart(t *testing.T) {
	h := newFixture(t, quick())
	h.engine.script = `printf 'first\r\nno \377\376 UTF-8\r\n'; seq -f 'line %06.0f of a log that is long enough' 60000; exit 6`
	job := h.add()
	h.starts(job)
	h.quiets()
	var all strings.Builder
	for c := (engine.Chunk{More: true}); c.More; {
		next, err := h.Reconciler.Log(h.Context(), h.ann.ID, job.ID, 1, c.Next)
		if err != nil || next.More && next.Next <= c.Next || len(next.Text) > engine.MaxChunk {
			t.Fatal(next.Next, err)
		}
		c = next
		all.Write(c.Text)
	}
	if n := strings.Count(all.String(), " of a log that is long enough\n"); n != 60000 ||
		!strings.Contains(all.String(), "first\nno ") {
		t.Errorf("%d lines of 60000", n)
	}
}
