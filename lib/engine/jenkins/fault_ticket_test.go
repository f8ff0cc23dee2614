package jenkins_test

import (
	"context"
	"testing"
	"time"

	"toaster.do/lib/engine"
	"toaster.do/lib/engine/jenkins/jenkinstest"
	"toaster.do/lib/store"
)

// interrupted is an engine on which, between one answer and what its caller does with it, something else happens once.
type interrupted struct {
	*scripted
	call string
	then func()
}

func (e *interrupted) answered(call string) {
	if then := e.then; e.call == call && then != nil {
		e.then = nil
		then()
	}
}

func (e *interrupted) Status(ctx context.Context, names ...string) (map[string]engine.Status, error) {
	all, err := e.scripted.Status(ctx, names...)
	e.answered("Status")
	return all, err
}

func (e *interrupted) Trace(ctx context.Context, name string, t engine.Ticket) (engine.State, int, error) {
	state, number, err := e.scripted.Trace(ctx, name, t)
	e.answered("Trace")
	return state, number, err
}

func (e *interrupted) Start(ctx context.Context, name string) (engine.Ticket, error) {
	t, err := e.scripted.Start(ctx, name)
	e.answered("Start")
	return t, err
}

// between lets something happen after the next answer to such a call.
func (h *fixture) between(call string, then func()) {
	h.Engine = &interrupted{h.engine, call, then}
}

// another is another process of the same site.
func (h *fixture) another() *fixture {
	e := &scripted{Engine: engineOn(h.T, h.controller, patient), ran: h.engine.ran, script: h.engine.script}
	other := &fixture{T: h.T, Service: service(h.T, h.db, e), controller: h.controller, engine: e, ann: h.ann}
	other.Now = h.Now
	return other
}

func (h *fixture) crashes() {
	h.Helper()
	h.controller.Kill()
	if err := h.controller.StartAgain(); err != nil {
		h.Fatal(err)
	}
}

// idles lets a minute of the controller's pass in a moment: what waits there has become a build that has ended.
func (h *fixture) idles(job *store.Job, builds int) {
	h.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		all, err := h.engine.Status(h.Context(), job.EngineName)
		st := all[job.EngineName]
		if err == nil && st.Waiting == nil && len(st.Builds) == builds && st.Builds[0].State.Ended() {
			return
		}
		if time.Now().After(end) {
			h.Fatalf("%+v, %v", st, err)
		}
	}
}

// newLateFixture is one whose agent is offline at first: what is started waits.
func newLateFixture(t *testing.T) *fixture {
	opt := quick()
	opt.Agents = []jenkinstest.Agent{{Name: "agent", Labels: []string{"later"}, Offline: true}}
	h := newFixture(t, opt)
	h.engine.label = "later"
	return h
}

// A crash of Jenkins takes its queue, and Jenkins then gives the same tickets again: a process that saw the first
// ticket lost must not take the second one for it.
func TestATicketThatACrashLetsJenkinsGiveAgain(t *testing.T) {
	t.Parallel()
	h := newLateFixture(t)
	job := h.add()
	h.starts(job)
	h.crashes()
	h.controller.SetOffline("agent", false)
	h.between("Trace", func() {
		if err := h.another().syncs(); err != nil {
			t.Error(err)
		}
		h.idles(job, 1)
	})
	h.settles(job, "succeeded", 1)
	h.accounted(job)
}

// A start leaves the queue after Jenkins has told of its builds, and Jenkins forgets the ticket before it is asked.
func TestATicketThatIsForgottenBetweenTwoQuestions(t *testing.T) {
	t.Parallel()
	opt := quick()
	opt.LeaveWindow = 150 * time.Millisecond
	h := newFixture(t, opt)
	job := h.add()
	h.starts(job)
	time.Sleep(20 * time.Millisecond) // it has left the queue, and is no build yet
	h.between("Status", func() {
		h.idles(job, 1)
		if err := h.controller.Restart(); err != nil {
			t.Error(err)
		}
	})
	h.settles(job, "succeeded", 1)
	h.accounted(job)
}

// The answer to a start comes so late that another process has asked again meanwhile.
func TestAnAnswerToAStartThatComesLate(t *testing.T) {
	t.Parallel()
	h := newLateFixture(t)
	other, job := h.add(), h.add()
	h.between("Start", func() {
		h.crashes()
		h.controller.SetOffline("agent", false)
		second := h.another()
		second.starts(other) // has the first ticket now
		h.ahead.Add(int64(time.Minute))
		if err := second.syncs(); err != nil {
			t.Error(err)
		}
		h.idles(job, 1)
	})
	h.starts(job)
	h.settles(job, "succeeded", 2)
	h.accounted(job)
}
