package engine

import (
	"context"
	"io"
	"strings"
	"time"
	"unicode"

	"toaster.do/lib/store"
)

// scanRunning searches what is new in the logs of a job's open builds for steps.
func (s *Follower) scanRunning(ctx context.Context, job *store.Job) error {
	pending, err := s.Store.UnfinalizedBuilds(ctx, job.ID)
	if err != nil {
		return err
	}
	for _, b := range pending {
		if b.EngineNumber > 0 && b.State == Running {
			if err := s.scan(ctx, job, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxScan bounds what one call of scan reads: 64 chunks are 16 MiB of log.
const maxScan = 64

// scan searches a build's log from where the last search ended, also within a line.
func (s *Follower) scan(ctx context.Context, job *store.Job, b *store.Build) error {
	state, err := s.Store.ScanState(ctx, b)
	if err != nil {
		return err
	}
	r := reader{b, &state}
	var past [][]store.Phase
	if b.Open() {
		if past, err = s.Store.GoodPhases(ctx, job.ID); err != nil {
			return err
		}
	}
	store := func(next int64, whole bool) error {
		b.LogOffset, b.Foreseen = max(next, b.LogOffset), foresee(state.Phases, past)
		return s.Store.SaveScan(ctx, b, state, whole)
	}
	if streamer, ok := s.Engine.(Streamer); ok && b.LogOffset == 0 && !b.Open() {
		next, err := s.scanWhole(ctx, r, streamer, job.EngineName)
		if err != nil {
			return err
		}
		return store(next, true)
	} else if ok {
		return s.scanRest(ctx, r, streamer, job.EngineName, store)
	}
	for range maxScan {
		c, err := s.Engine.Log(ctx, job.EngineName, b.EngineNumber, b.LogOffset)
		if err != nil {
			return err
		}
		if c.More && c.Next <= b.LogOffset {
			return nil
		}
		r.read(c.Text, !c.More)
		if err := store(c.Next, !c.More); err != nil || !c.More {
			return err
		}
	}
	return nil
}

// scanWhole searches the log of a build that has ended and that nobody has searched before: from its beginning, which
// costs such an engine the least, and then asks where its end is.
func (s *Follower) scanWhole(ctx context.Context, r reader, from Streamer, name string) (end int64, err error) {
	log, err := from.Stream(ctx, name, r.EngineNumber, -1)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	if err := r.readAll(log); err != nil {
		return 0, err
	}
	r.read(nil, true)
	c := Chunk{Next: log.Raw, More: true}
	for range maxScan {
		if c, err = s.Engine.Log(ctx, name, r.EngineNumber, c.Next); err != nil || !c.More {
			break
		}
	}
	r.scan.Hidden = max(0, c.Next-log.Raw)
	return c.Next, err
}

// scanRest goes on where the last search ended. While a build runs, an answer has a part of what there is.
func (s *Follower) scanRest(ctx context.Context, r reader, from Streamer, name string, store func(int64, bool) error) error {
	for range maxScan {
		begin := r.LogOffset
		next, more, err := r.stream(ctx, from, name)
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
func (r reader) stream(ctx context.Context, from Streamer, name string) (next int64, more bool, err error) {
	log, err := from.Stream(ctx, name, r.EngineNumber, r.LogOffset)
	if err != nil {
		return 0, false, err
	}
	defer log.Close()
	if err := r.readAll(log); err != nil {
		return 0, false, err
	}
	r.read(nil, !log.More)
	return log.Next, log.More, nil
}

func (r reader) readAll(log io.Reader) error {
	for piece := make([]byte, 64<<10); ; {
		n, err := log.Read(piece)
		r.read(piece[:n], false)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// reader takes from a log what it says of a build.
type reader struct {
	*store.Build
	scan *store.Scan
}

// read goes on with a piece of the log; last says that it is the last one.
func (r reader) read(text []byte, last bool) {
	lines := Scanner{Rest: r.scan.Rest}
	lines.Scan(text, r.line)
	if last {
		lines.End(r.line)
	}
	r.scan.Rest = lines.Rest
}

// textLength is how much of an instruction is kept in a list of what a build has done.
const textLength = 160

func (r reader) line(_ []byte, m Mark) {
	switch m.Kind {
	case StepBegins:
		// Steps only follow each other, and nothing but the image's packing follows them.
		if m.Step.Number <= r.Step || r.Phase == "pack" || r.Phase == "check" {
			return
		}
		r.Step, r.Steps, r.StepLine = m.Step.Number, m.Step.Of, m.Step.Line
		r.begin(store.Phase{Name: "step", Step: m.Step.Number, Line: m.Step.Line,
			Text: Printable(m.Step.Instruction, textLength), At: r.scan.StepAt})
		r.scan.StepAt = time.Time{}
	case PhaseBegins:
		r.phase(m)
	case PackingBegins:
		if r.Phase != "pack" {
			r.begin(store.Phase{Name: "pack"})
		}
	case WasCached:
		if n := len(r.scan.Phases); n > 0 {
			r.scan.Phases[n-1].Cached = true
		}
	case ScriptFailed:
		r.Failure = sentence([]byte(m.Why))
	}
}

// phase notes that a phase begins, or that the last one has ended: where the build stood then is still of interest.
func (r reader) phase(m Mark) {
	n := len(r.scan.Phases)
	switch {
	case m.Phase == "step":
		r.scan.StepAt = m.At
	case n > 0 && r.scan.Phases[n-1].Name == "end":
		r.scan.Phases[n-1].At = m.At
	case m.Phase == "end":
		r.scan.Phases = append(r.scan.Phases, store.Phase{Name: "end", At: m.At})
	case m.Phase == "prepare" && n == 0, m.Phase == "pack" && r.Phase != "pack",
		m.Phase == "check" && r.Phase != "check":
		r.begin(store.Phase{Name: m.Phase, At: m.At})
	}
}

// begin notes that a phase begins, and so where the build is. More of them than any build has are a log that is none
// of ours.
func (r reader) begin(p store.Phase) {
	if len(r.scan.Phases) < 10000 {
		r.scan.Phases = append(r.scan.Phases, p)
	}
	r.Phase = p.Name
}

// sentence makes a line of a log fit for a page: printable, at most 500 characters, with a capital.
func sentence(line []byte) string {
	text := []rune(Printable(string(line), 500))
	if len(text) > 0 {
		text[0] = unicode.ToUpper(text[0])
	}
	return string(text)
}

// Printable leaves out what can't be printed, and what is too long.
func Printable(s string, most int) string {
	text := []rune(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(s, "\uFFFD")))
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}
