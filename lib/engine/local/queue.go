package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"toaster.do/lib/engine"
	"toaster.do/lib/store"
)

// Queue is the half of a runner that knows the database: it says what is to be built, and writes down what came of it.
// Several runners may share a queue.
type Queue struct {
	DB   *store.DB
	Dir  string                              // the Engine's, with logs and artifacts: only looked at
	Make func(engine.Source) ([]byte, error) // makes the script of a source
	Log  *slog.Logger                        // nil: the default
}

// tick is how often the queue is looked at: three indexed reads, some 70 µs.
const tick = 250 * time.Millisecond

// Run takes builds from the queue until the Keeper at the other end of conn wants no more, or is gone.
func (q *Queue) Run(conn io.ReadWriteCloser) error {
	defer conn.Close()
	w := &worker{Queue: *q, wire: &wire{ReadWriteCloser: conn}, running: map[int64]bool{},
		asked: map[int64]chan reply{}}
	if w.Log == nil {
		w.Log = slog.Default()
	}
	var first reply
	if err := w.receive(&first); err != nil {
		return fmt.Errorf("runner: the half that builds did not begin: %w", err)
	}
	if first.Hello == nil || !isRunner(first.Hello.Runner) {
		return fmt.Errorf("runner: the half that builds could not begin: %s", first.Error)
	}
	w.id, w.slots = first.Hello.Runner, first.Hello.Slots
	w.done = make(chan int64, w.slots)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w.ctx, w.closing = ctx, cancel
	go w.listen()
	var sweeping sync.WaitGroup
	sweeping.Go(func() { w.sweeps(ctx) })
	w.loop(ctx)
	for len(w.running) > 0 {
		delete(w.running, <-w.done)
	}
	sweeping.Wait()
	return nil
}

// worker is a Queue that runs.
type worker struct {
	Queue
	*wire
	id      string
	slots   int
	running map[int64]bool // by ticket; true: its stop was asked for
	done    chan int64
	drains  bool // no more builds are taken: see Drain
	ctx     context.Context
	closing func() // ends ctx, when the runner is to end

	mu   sync.Mutex
	last int64
	// Who waits for an answer, by the request's id, or by -ticket for the end of a build; nil: the Keeper is gone.
	asked map[int64]chan reply
}

var errGone = errors.New("the half of the runner that builds is gone")

// call asks the Keeper for something, and waits for the answer.
func (w *worker) call(r request) (reply, error) {
	w.mu.Lock()
	w.last++
	r.ID = w.last
	w.mu.Unlock()
	answer := w.expect(r.ID)
	if answer == nil {
		return reply{}, errGone
	}
	if err := w.send(r); err != nil {
		return reply{}, errGone
	}
	a, ok := <-answer
	if !ok {
		return a, errGone
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, nil
}

// expect makes the channel of a reply that is to come; nil when none can come any more.
func (w *worker) expect(id int64) chan reply {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.asked == nil {
		return nil
	}
	c := make(chan reply, 1)
	w.asked[id] = c
	return c
}

// listen hands on what the Keeper says, until it is gone.
func (w *worker) listen() {
	for {
		var r reply
		if err := w.receive(&r); err != nil {
			break
		}
		id := r.ID
		switch {
		case r.Closes:
			w.closing()
			continue
		case r.End != nil:
			id = -r.End.Ticket
		}
		w.mu.Lock()
		if c := w.asked[id]; c != nil {
			c <- r
			delete(w.asked, id)
		}
		w.mu.Unlock()
	}
	w.closing()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.asked {
		close(c)
	}
	w.asked = nil
}

func (w *worker) loop(ctx context.Context) {
	w.Log.Info("runner starts", "runner", w.id, "slots", w.slots)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var pause time.Time
	for seen := time.Now(); ; {
		if time.Now().After(pause) {
			if err := w.look(ctx); err != nil && ctx.Err() == nil {
				w.Log.Error("looking at the queue", "error", err)
				pause = time.Now().Add(beat)
			}
		}
		if w.drains && len(w.running) == 0 {
			w.Log.Info("runner is drained", "runner", w.id)
			w.call(request{Op: opEnd})
			w.closing()
			return
		}
		if time.Since(seen) > beat {
			seen = time.Now()
			w.call(request{Op: opAlive})
		}
		select {
		case <-ctx.Done():
			return
		case ticket := <-w.done:
			delete(w.running, ticket)
		case <-ticker.C:
		}
	}
}

// look stops builds that are to be stopped, has files deleted, and takes new builds while slots are free, unless it drains.
func (w *worker) look(ctx context.Context) error {
	running, waiting, err := w.DB.LocalOpen(ctx)
	if err != nil {
		return err
	}
	known := map[int64]store.LocalBuild{}
	for _, b := range running {
		known[b.Ticket] = b
	}
	for ticket, stopped := range w.running {
		if b, ok := known[ticket]; !stopped && (!ok || b.Stop) {
			// One that is not there any more has ended just now, or its job was removed.
			w.call(request{Op: opStop, Ticket: ticket})
			w.running[ticket] = true
		}
	}
	if err := w.discard(ctx); err != nil {
		return err
	}
	draining, err := w.DB.LocalDraining(ctx)
	if err != nil {
		return err
	}
	if w.drains = slices.Contains(draining, w.id); w.drains {
		return nil
	}
	for ; waiting > 0 && len(w.running) < w.slots && ctx.Err() == nil; waiting-- {
		if took, err := w.take(ctx); err != nil || !took {
			return err
		}
	}
	return nil
}

// discard has the files deleted that nobody may see any more.
func (w *worker) discard(ctx context.Context) error {
	old, err := w.DB.LocalDiscards(ctx)
	if err != nil {
		return err
	}
	for _, d := range old {
		if _, err := w.call(request{Op: opDiscard, Job: d.Job, Number: d.Number}); err != nil {
			return fmt.Errorf("deleting build %d of %.200q: %w", d.Number, d.Job, err)
		}
		if err := w.DB.LocalDiscarded(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// take begins the build that is next. It reports whether there was one.
func (w *worker) take(ctx context.Context) (took bool, err error) {
	var ticket int64
	b, j, ok, err := w.DB.LocalTake(ctx, w.id, time.Now(), func(b store.LocalBuild) error {
		ticket = b.Ticket
		_, err := w.call(request{Op: opPlace, Ticket: b.Ticket, Job: b.Job, Number: b.Number})
		return err
	})
	if !ok {
		if ticket > 0 {
			w.call(request{Op: opForget, Ticket: ticket})
		}
		return false, err
	}
	w.running[b.Ticket] = false
	go func() {
		w.build(b, j)
		w.call(request{Op: opForget, Ticket: b.Ticket})
		w.done <- b.Ticket
	}()
	return true, nil
}

// build has a build run, and writes down how it ended. One of which nobody can say how it ended is found lost, later.
func (w *worker) build(b store.LocalBuild, j store.LocalJob) {
	ended := w.expect(-b.Ticket)
	if ended == nil {
		return
	}
	if _, err := w.call(w.order(b, j)); err != nil {
		w.Log.Error("a build was refused", "job", b.Job, "number", b.Number, "error", err)
		w.commit(b, end{State: engine.Failed, Reason: "The runner rejected this build. See the log of the runner."})
		return
	}
	if r, ok := <-ended; ok {
		w.commit(b, *r.End)
	}
}

// order is what the Keeper has to know of a build. It makes the script itself, and says in the build's log why it
// can't.
func (w *worker) order(b store.LocalBuild, j store.LocalJob) request {
	r := request{Op: opBuild, Ticket: b.Ticket, TimeLimit: j.TimeLimit}
	if !j.Intact() || json.Unmarshal(j.Source, &r.Source) != nil {
		return request{Op: opBuild, Ticket: b.Ticket, Changed: true}
	}
	script, err := safely(w.Make, r.Source)
	if err != nil {
		w.Log.Warn("a build's script can't be made", "job", b.Job, "number", b.Number, "error", err)
	}
	sum := sha256.Sum256(script)
	r.SHA256 = hex.EncodeToString(sum[:])
	return r
}

// commit writes down how a build ended, once its artifacts are in place. If that can't be done, it tries until the
// runner ends, and leaves it to the next one to find the build lost.
func (w *worker) commit(b store.LocalBuild, e end) {
	for {
		_, err := w.DB.LocalFinish(context.Background(), store.LocalEnd{
			Ticket: b.Ticket, Runner: w.id, State: string(e.State), Reason: e.Reason,
			EndedAt: b.StartedAt.Add(e.Took), Artifacts: e.Artifacts,
		}, func() error {
			if len(e.Artifacts) == 0 {
				return nil
			}
			_, err := w.call(request{Op: opSettle, Ticket: b.Ticket})
			return err
		})
		if err == nil {
			return
		}
		w.Log.Error("storing the end of a build", "job", b.Job, "number", b.Number, "error", err)
		select {
		case <-w.ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

// sweeps puts right what dead runners left, at once and then again and again.
func (w *worker) sweeps(ctx context.Context) {
	for {
		if err := w.sweep(ctx); err != nil && ctx.Err() == nil {
			w.Log.Error("putting right what a dead runner left", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(beat):
		}
	}
}

// sweep says of the builds of dead runners that they are lost, and has their files removed. Two runners may do so at
// once.
func (w *worker) sweep(ctx context.Context) error {
	running, _, err := w.DB.LocalOpen(ctx)
	if err != nil {
		return err
	}
	var known []string
	for _, b := range running {
		if isRunner(b.Runner) {
			known = append(known, b.Runner)
		}
	}
	found, err := w.call(request{Op: opDead, Runners: known})
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range found.Dead {
		errs = append(errs, w.bury(ctx, id, running))
	}
	return errors.Join(errs...)
}

func (w *worker) bury(ctx context.Context, id string, running []store.LocalBuild) error {
	for _, b := range running {
		if b.Runner != id {
			continue
		}
		ended := lastWord(w.Dir, b)
		lost := store.LocalEnd{Ticket: b.Ticket, Runner: id, State: string(engine.Lost),
			Reason: lostReason, EndedAt: ended}
		_, err := w.DB.LocalFinish(ctx, lost, func() error {
			w.Log.Warn("a build is lost", "job", b.Job, "number", b.Number, "runner", id)
			_, err := w.call(request{Op: opLose, Job: b.Job, Number: b.Number, Ended: ended})
			return err
		})
		if err != nil {
			return err
		}
	}
	_, err := w.call(request{Op: opClear, Runners: []string{id}})
	return err
}
