package reconcile

import (
	"time"

	"toaster.do/lib/engine"
	"toaster.do/lib/store"
)

// Span is a phase of a build as its timeline shows it.
type Span struct {
	Name    string // prepare, step, pack, check
	Step    int    // of "step", from 1
	Line    int    // in the Dockerfile
	Text    string // the instruction
	State   engine.State
	Took    time.Duration // until now, where it goes on
	Timed   bool          // Took is known
	Cached  bool
	Running bool
}

// Timeline says how long each phase of a build took, by the build's own times. Only what goes on now, and what was cut
// off, is measured here: from the build's start, as two machines' clocks may differ.
func Timeline(b *store.Build, phases []store.Phase, now time.Time) []Span {
	if len(phases) == 0 {
		return nil
	}
	end := now
	if !b.Open() {
		end = b.EndedAt
	}
	list := make([]Span, 0, len(phases))
	for i, p := range phases {
		if p.Name == "end" {
			break
		}
		s := Span{Name: p.Name, Step: p.Step, Line: p.Line, Text: p.Text, Cached: p.Cached, State: engine.Succeeded}
		last := i == len(phases)-1
		if last || phases[i+1].Name == "end" {
			s.State, s.Running = b.State, b.Open()
		}
		switch {
		case p.At.IsZero():
		case !last && !phases[i+1].At.IsZero():
			s.Took, s.Timed = phases[i+1].At.Sub(p.At), true
		case last && !phases[0].At.IsZero() && !b.StartedAt.IsZero():
			s.Took, s.Timed = end.Sub(b.StartedAt)-p.At.Sub(phases[0].At), true
		}
		s.Took = max(0, s.Took) // a clock may be set back
		list = append(list, s)
	}
	return list
}
