package jobs

import (
	"context"
	"testing"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
)

// tracing is an engine whose status is silent about a start, and that can be asked about it.
type tracing struct {
	*fake
	state  engine.State
	number int
	err    error
}

func (t *tracing) Trace(context.Context, string, engine.Ticket) (engine.State, int, error) {
	return t.state, t.number, t.err
}

// TestAStartThatTheStatusDoesNotShow is traced before it is asked for again: between queue and list of builds it is
// well.
func TestAStartThatTheStatusDoesNotShow(t *testing.T) {
	for _, c := range []struct {
		name    string
		says    tracing
		state   engine.State
		number  int
		started int // how often the engine was asked to start
	}{
		{"it is on its way", tracing{state: engine.Queued}, engine.Queued, 0, 1},
		{"it has become a build", tracing{state: engine.Running, number: 7}, engine.Running, 7, 1},
		{"somebody took it out of the queue", tracing{state: engine.Aborted}, engine.Aborted, 0, 1},
		{"the engine forgot it", tracing{state: engine.Lost}, engine.Queued, 0, 2},
		{"the engine can't be asked", tracing{state: engine.Lost, err: apperr.New(apperr.Unavailable, "away", "")},
			engine.Queued, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newFixture(t)
			says := c.says
			says.fake = h.fake
			h.Engine = &says
			job := h.add()
			h.Start(t.Context(), h.ann.ID, job.ID, nil)
			h.fake.jobs[job.EngineName].waiting = nil
			h.syncs(1)
			b := h.last(job)
			if b.State != c.state || b.EngineNumber != c.number {
				t.Errorf("it is %s, engine's number %d (%s)", b.State, b.EngineNumber, b.Reason)
			}
			started := 0
			for _, call := range h.fake.calls {
				if call == "start" {
					started++
				}
			}
			if started != c.started {
				t.Errorf("the engine was asked to start %d times, want %d", started, c.started)
			}
		})
	}
}

// TestATicketThatIsGivenAgain after a crash of the engine, does not lead to the build of before.
func TestATicketThatIsGivenAgain(t *testing.T) {
	h := newFixture(t)
	job := h.add()
	h.Start(t.Context(), h.ann.ID, job.ID, nil)
	h.fake.begin(job.EngineName)
	h.fake.end(job.EngineName, 1, engine.Succeeded)
	h.syncs(2)
	h.fake.ticket = 0
	h.Start(t.Context(), h.ann.ID, job.ID, nil)
	h.syncs(1)
	if b := h.last(job); b.Number != 2 || b.State != engine.Queued || b.Ticket != "t1" {
		t.Fatalf("the second build is %+v", b)
	}
	h.fake.begin(job.EngineName)
	h.syncs(1)
	if b := h.last(job); b.State != engine.Running || b.EngineNumber != 2 {
		t.Errorf("the second build is %+v", b)
	}
}
