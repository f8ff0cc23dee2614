package reconcile

import (
	"context"
	"io"
	"strings"
	"time"
	"unicode"

	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
	"toaster.do/lib/printable"
	"toaster.do/lib/store"
)

// scanRunningLogs searches what is new in the logs of a job's open builds for steps.
func (r *Reconciler) scanRunningLogs(ctx context.Context, job *store.Job) error {
	pending, err := r.Store.UnfinalizedBuilds(ctx, job.ID)
	if err != nil {
		return err
	}
	for _, b := range pending {
		if b.EngineNumber > 0 && b.State == engine.Running {
			if err := r.scanLog(ctx, job, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxScan bounds what one call of scan reads: 64 chunks are 16 MiB of log.
const maxScan = 64

// scanLog searches a build's log from where the last search ended, also within a line.
func (r *Reconciler) scanLog(ctx context.Context, job *store.Job, b *store.Build) error {
	state, err := r.Store.ScanState(ctx, b)
	if err != nil {
		return err
	}
	l := stepScanner{b, &state}
	var past [][]store.Phase
	if b.Open() {
		if past, err = r.Store.GoodPhases(ctx, job.ID); err != nil {
			return err
		}
	}
	store := func(next int64, whole bool) error {
		b.LogOffset, b.Foreseen = max(next, b.LogOffset), expectedDuration(state.Phases, past)
		return r.Store.SaveScan(ctx, b, state, whole)
	}
	if streamer, ok := r.Engine.(engine.Streamer); ok && b.LogOffset == 0 && !b.Open() {
		next, err := r.scanWhole(ctx, l, streamer, job.EngineName)
		if err != nil {
			return err
		}
		return store(next, true)
	} else if ok {
		return r.scanRest(ctx, l, streamer, job.EngineName, store)
	}
	for range maxScan {
		c, err := r.Engine.Log(ctx, job.EngineName, b.EngineNumber, b.LogOffset)
		if err != nil {
			return err
		}
		if c.More && c.Next <= b.LogOffset {
			return nil
		}
		l.read(c.Text, !c.More)
		if err := store(c.Next, !c.More); err != nil || !c.More {
			return err
		}
	}
	return nil
}

// scanWhole searches the log of a build that has ended and that nobody has searched before: from its beginning, which
// costs such an engine the least, and then asks where its end is.
func (r *Reconciler) scanWhole(
	ctx context.Context, l stepScanner, from engine.Streamer, name string,
) (end int64, err error) {
	log, err := from.Stream(ctx, name, l.EngineNumber, -1)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	if err := l.readAll(log); err != nil {
		return 0, err
	}
	l.read(nil, true)
	c := engine.Chunk{Next: log.Raw, More: true}
	for range maxScan {
		if c, err = r.Engine.Log(ctx, name, l.EngineNumber, c.Next); err != nil || !c.More {
			break
		}
	}
	l.scan.Hidden = max(0, c.Next-log.Raw)
	return c.Next, err
}

// scanRest goes on where the last search ended. While a build runs, an answer has a part of what there is.
func (r *Reconciler) scanRest(
	ctx context.Context, l stepScanner, from engine.Streamer, name string, store func(int64, bool) error,
) error {
	for range maxScan {
		begin := l.LogOffset
		next, more, err := l.stream(ctx, from, name)
		if err == nil {
			err = store(next, !more)
		}
		if err != nil || !more || next-begin < longLog/8 {
			return err
		}
	}
	return nil
}

// stream reads all that is new in one answer.
func (l stepScanner) stream(ctx context.Context, from engine.Streamer, name string) (next int64, more bool, err error) {
	log, err := from.Stream(ctx, name, l.EngineNumber, l.LogOffset)
	if err != nil {
		return 0, false, err
	}
	defer log.Close()
	if err := l.readAll(log); err != nil {
		return 0, false, err
	}
	l.read(nil, !log.More)
	return log.Next, log.More, nil
}

func (l stepScanner) readAll(log io.Reader) error {
	for piece := make([]byte, 64<<10); ; {
		n, err := log.Read(piece)
		l.read(piece[:n], false)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// stepScanner takes from a log what it says of a build.
type stepScanner struct {
	*store.Build
	scan *store.Scan
}

// read goes on with a piece of the log; last says that it is the last one.
func (l stepScanner) read(text []byte, last bool) {
	lines := engine.Scanner{Rest: l.scan.Rest}
	lines.Scan(text, l.handleLine)
	if last {
		lines.End(l.handleLine)
	}
	l.scan.Rest = lines.Rest
}

// textLength is how much of an instruction is kept in a list of what a build has done.
const textLength = 160

func (l stepScanner) handleLine(_ []byte, m engine.Mark) {
	switch m.Kind {
	case engine.StepBegins:
		// Steps only follow each other, and nothing but the image's packing follows them.
		if m.Step.Number <= l.Step || l.Phase == "pack" || l.Phase == "check" {
			return
		}
		l.Step, l.Steps, l.StepLine = m.Step.Number, m.Step.Of, m.Step.Line
		l.beginPhase(store.Phase{Name: "step", Step: m.Step.Number, Line: m.Step.Line,
			Text: printable.Shorten(m.Step.Instruction, textLength), At: l.scan.StepAt})
		l.scan.StepAt = time.Time{}
	case engine.PhaseBegins:
		l.handlePhase(m)
	case engine.PackingBegins:
		if l.Phase != "pack" {
			l.beginPhase(store.Phase{Name: "pack"})
		}
	case engine.WasCached:
		if n := len(l.scan.Phases); n > 0 {
			l.scan.Phases[n-1].Cached = true
		}
	case engine.ScriptFailed:
		if said := sentence([]byte(m.Why)); !strings.EqualFold(said, l.Failure.String()) {
			l.Failure = i18n.Plain(said)
		}
	case engine.ScriptReason:
		l.Failure = m.Reason
	}
}

// handlePhase notes that a phase begins, or that the last one has ended: where the build stood then is still of
// interest.
func (l stepScanner) handlePhase(m engine.Mark) {
	n := len(l.scan.Phases)
	switch {
	case m.Phase == "step":
		l.scan.StepAt = m.At
	case n > 0 && l.scan.Phases[n-1].Name == "end":
		l.scan.Phases[n-1].At = m.At
	case m.Phase == "end":
		l.scan.Phases = append(l.scan.Phases, store.Phase{Name: "end", At: m.At})
	case m.Phase == "prepare" && n == 0, m.Phase == "pack" && l.Phase != "pack",
		m.Phase == "check" && l.Phase != "check":
		l.beginPhase(store.Phase{Name: m.Phase, At: m.At})
	}
}

// beginPhase notes that a phase begins, and so where the build is. A log with more of them than any build has is none
// of ours.
func (l stepScanner) beginPhase(p store.Phase) {
	if len(l.scan.Phases) < 10000 {
		l.scan.Phases = append(l.scan.Phases, p)
	}
	l.Phase = p.Name
}

// sentence makes a line of a log fit for a page: printable, at most 500 characters, with a capital.
func sentence(line []byte) string {
	text := []rune(printable.Shorten(string(line), 500))
	if len(text) > 0 {
		text[0] = unicode.ToUpper(text[0])
	}
	return string(text)
}
