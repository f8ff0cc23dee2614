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
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
)

// runnerStore is what a runner needs of the database.
type runnerStore interface {
	LocalDiscarded(ctx context.Context, d store.Discard) error
	LocalDiscards(ctx context.Context) (found []store.Discard, err error)
	LocalDraining(ctx context.Context) (runners []string, err error)
	LocalFinish(ctx context.Context, e store.LocalEnd, place func() error) (found bool, err error)
	LocalOpen(ctx context.Context) (running []store.LocalBuild, waiting int, err error)
	LocalTake(ctx context.Context, runner string, now time.Time,
		prepare func(store.LocalBuild) error) (b store.LocalBuild, j store.LocalJob, ok bool, err error)
}

// Dispatcher is the half of a runner that knows the database: it says what is to be built, and writes down what came of
// it. Several runners may share a queue.
type Dispatcher struct {
	DB   runnerStore
	Dir  string                                   // the Engine's, with logs and artifacts: only looked at
	Make func(engine.Source) (engine.Made, error) // makes the script of a source
	// Open returns the secrets that were sealed for a build of the job.
	Open func(job string, sealed []byte) (engine.Secrets, error)
	Log  *slog.Logger // nil: the default
}

// tick is how often the queue is looked at: three indexed reads, some 70 µs.
const tick = 250 * time.Millisecond

// Run takes builds from the queue until the Executor at the other end of conn wants no more, or is gone.
func (q *Dispatcher) Run(conn io.ReadWriteCloser) error {
	defer conn.Close()
	d := &dispatcher{Dispatcher: *q, wire: &wire{ReadWriteCloser: conn}, running: map[int64]bool{},
		pending: map[int64]chan reply{}}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	var first reply
	if err := d.receive(&first); err != nil {
		return fmt.Errorf("runner: the half that builds did not begin: %w", err)
	}
	if first.Hello == nil || !isRunner(first.Hello.Runner) {
		return fmt.Errorf("runner: the half that builds could not begin: %s", first.Error)
	}
	d.id, d.concurrency = first.Hello.Runner, first.Hello.Concurrency
	d.done = make(chan int64, d.concurrency)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	d.ctx, d.closing = ctx, cancel
	go d.receiveReplies()
	var cleaning sync.WaitGroup
	cleaning.Go(func() { d.cleanUpLoop(ctx) })
	d.loop(ctx)
	for len(d.running) > 0 {
		delete(d.running, <-d.done)
	}
	cleaning.Wait()
	return nil
}

// dispatcher is a Dispatcher that runs.
type dispatcher struct {
	Dispatcher
	*wire
	id          string
	concurrency int
	running     map[int64]bool // by ticket; true: its stop was asked for
	done        chan int64
	drains      bool // no more builds are taken: see Drain
	ctx         context.Context
	closing     func() // ends ctx, when the runner is to end

	mu   sync.Mutex
	last int64
	// Who waits for an answer, by the request's id, or by -ticket for the end of a build; nil: the Executor is gone.
	pending map[int64]chan reply
}

var errGone = errors.New("the half of the runner that builds is gone")

// call asks the Executor for something, and waits for the answer.
func (d *dispatcher) call(r request) (reply, error) {
	d.mu.Lock()
	d.last++
	r.ID = d.last
	d.mu.Unlock()
	answer := d.awaitReply(r.ID)
	if answer == nil {
		return reply{}, errGone
	}
	if err := d.send(r); err != nil {
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

// awaitReply makes the channel of a reply that is to come; nil when none can come any more.
func (d *dispatcher) awaitReply(id int64) chan reply {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pending == nil {
		return nil
	}
	c := make(chan reply, 1)
	d.pending[id] = c
	return c
}

// receiveReplies hands on what the Executor says, until it is gone.
func (d *dispatcher) receiveReplies() {
	for {
		var r reply
		if err := d.receive(&r); err != nil {
			break
		}
		id := r.ID
		switch {
		case r.Closes:
			d.closing()
			continue
		case r.End != nil:
			id = -r.End.Ticket
		}
		d.mu.Lock()
		if c := d.pending[id]; c != nil {
			c <- r
			delete(d.pending, id)
		}
		d.mu.Unlock()
	}
	d.closing()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.pending {
		close(c)
	}
	d.pending = nil
}

func (d *dispatcher) loop(ctx context.Context) {
	d.Log.Info("runner starts", "runner", d.id, "concurrency", d.concurrency)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var pause time.Time
	for seen := time.Now(); ; {
		if time.Now().After(pause) {
			if err := d.poll(ctx); err != nil && ctx.Err() == nil {
				d.Log.Error("looking at the queue", "error", err)
				pause = time.Now().Add(heartbeat)
			}
		}
		if d.drains && len(d.running) == 0 {
			d.Log.Info("runner is drained", "runner", d.id)
			d.call(request{Op: opShutDown})
			d.closing()
			return
		}
		if time.Since(seen) > heartbeat {
			seen = time.Now()
			d.call(request{Op: opHeartbeat})
		}
		select {
		case <-ctx.Done():
			return
		case ticket := <-d.done:
			delete(d.running, ticket)
		case <-ticker.C:
		}
	}
}

// poll stops builds that are to be stopped, has files deleted, and takes new builds while slots are free, unless it
// drains.
func (d *dispatcher) poll(ctx context.Context) error {
	running, waiting, err := d.DB.LocalOpen(ctx)
	if err != nil {
		return err
	}
	known := map[int64]store.LocalBuild{}
	for _, b := range running {
		known[b.Ticket] = b
	}
	for ticket, stopped := range d.running {
		if b, ok := known[ticket]; !stopped && (!ok || b.StopRequested) {
			// One that is not there any more has ended just now, or its job was removed.
			d.call(request{Op: opStop, Ticket: ticket})
			d.running[ticket] = true
		}
	}
	if err := d.deleteDiscarded(ctx); err != nil {
		return err
	}
	draining, err := d.DB.LocalDraining(ctx)
	if err != nil {
		return err
	}
	if d.drains = slices.Contains(draining, d.id); d.drains {
		return nil
	}
	for ; waiting > 0 && len(d.running) < d.concurrency && ctx.Err() == nil; waiting-- {
		if took, err := d.startNext(ctx); err != nil || !took {
			return err
		}
	}
	return nil
}

// deleteDiscarded has the files deleted that nobody may see any more.
func (d *dispatcher) deleteDiscarded(ctx context.Context) error {
	old, err := d.DB.LocalDiscards(ctx)
	if err != nil {
		return err
	}
	for _, b := range old {
		if _, err := d.call(request{Op: opDelete, Job: b.Job, Number: b.Number}); err != nil {
			return fmt.Errorf("deleting build %d of %.200q: %w", b.Number, b.Job, err)
		}
		if err := d.DB.LocalDiscarded(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// startNext begins the build that is next. It reports whether there was one.
func (d *dispatcher) startNext(ctx context.Context) (took bool, err error) {
	var ticket int64
	b, j, ok, err := d.DB.LocalTake(ctx, d.id, time.Now(), func(b store.LocalBuild) error {
		ticket = b.Ticket
		_, err := d.call(request{Op: opPrepare, Ticket: b.Ticket, Job: b.Job, Number: b.Number})
		return err
	})
	if !ok {
		if ticket > 0 {
			d.call(request{Op: opRelease, Ticket: ticket})
		}
		return false, err
	}
	d.running[b.Ticket] = false
	go func() {
		d.build(b, j)
		d.call(request{Op: opRelease, Ticket: b.Ticket})
		d.done <- b.Ticket
	}()
	return true, nil
}

// build has a build run, and writes down how it ended. One of which nobody can say how it ended is found lost, later.
func (d *dispatcher) build(b store.LocalBuild, j store.LocalJob) {
	ended := d.awaitReply(-b.Ticket)
	if ended == nil {
		return
	}
	r := d.buildRequest(b, j)
	if b.Secrets != nil {
		var err error
		if r.Secrets, err = d.Open(b.Job, b.Secrets); err != nil { // never without those that it was given
			d.Log.Error("a build's secrets can't be read", "job", b.Job, "number", b.Number, "error", err)
			d.recordEnd(b, end{State: engine.Failed, Reason: i18n.Stored(
				i18n.T("The secrets of this build can no longer be read. Build again, and enter them again."))})
			return
		}
	}
	if _, err := d.call(r); err != nil {
		d.Log.Error("a build was refused", "job", b.Job, "number", b.Number, "error", err)
		d.recordEnd(b,
			end{State: engine.Failed, Reason: i18n.Stored(i18n.T("The runner rejected this build. See the log of the runner."))})
		return
	}
	if r, ok := <-ended; ok {
		d.recordEnd(b, *r.End)
	}
}

// buildRequest is what the Executor has to know of a build. It makes the script itself, and says in the build's log why
// it can't.
func (d *dispatcher) buildRequest(b store.LocalBuild, j store.LocalJob) request {
	r := request{Op: opBuild, Ticket: b.Ticket, TimeLimit: j.TimeLimit}
	if !j.Intact() || json.Unmarshal(j.Source, &r.Source) != nil {
		return request{Op: opBuild, Ticket: b.Ticket, Changed: true}
	}
	made, err := safely(d.Make, r.Source)
	if err != nil {
		d.Log.Warn("a build's script can't be made", "job", b.Job, "number", b.Number, "error", err)
	}
	sum := sha256.Sum256(made.Script)
	r.SHA256 = hex.EncodeToString(sum[:])
	return r
}

// recordEnd writes down how a build ended, once its artifacts are in place. If that can't be done, it tries until the
// runner ends, and leaves it to the next one to find the build lost.
func (d *dispatcher) recordEnd(b store.LocalBuild, e end) {
	for {
		_, err := d.DB.LocalFinish(context.Background(), store.LocalEnd{
			Ticket: b.Ticket, Runner: d.id, State: e.State, Reason: i18n.Text(e.Reason),
			EndedAt: b.StartedAt.Add(e.Took), Artifacts: e.Artifacts,
		}, func() error {
			if len(e.Artifacts) == 0 {
				return nil
			}
			_, err := d.call(request{Op: opPublish, Ticket: b.Ticket})
			return err
		})
		if err == nil {
			return
		}
		d.Log.Error("storing the end of a build", "job", b.Job, "number", b.Number, "error", err)
		select {
		case <-d.ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

// cleanUpLoop puts right what dead runners left, at once and then again and again.
func (d *dispatcher) cleanUpLoop(ctx context.Context) {
	for {
		if err := d.cleanUp(ctx); err != nil && ctx.Err() == nil {
			d.Log.Error("putting right what a dead runner left", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(heartbeat):
		}
	}
}

// cleanUp says of the builds of dead runners that they are lost, and has their files removed. Two runners may do so at
// once.
func (d *dispatcher) cleanUp(ctx context.Context) error {
	running, _, err := d.DB.LocalOpen(ctx)
	if err != nil {
		return err
	}
	var known []string
	for _, b := range running {
		if isRunner(b.Runner) {
			known = append(known, b.Runner)
		}
	}
	found, err := d.call(request{Op: opFindDead, Runners: known})
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range found.Dead {
		errs = append(errs, d.reap(ctx, id, running))
	}
	return errors.Join(errs...)
}

// reap writes down that the builds of a dead runner are lost, and has the runner's files removed.
func (d *dispatcher) reap(ctx context.Context, id string, running []store.LocalBuild) error {
	for _, b := range running {
		if b.Runner != id {
			continue
		}
		ended := lastActivity(d.Dir, b)
		lost := store.LocalEnd{Ticket: b.Ticket, Runner: id, State: engine.Lost,
			Reason: i18n.T(lostReason), EndedAt: ended}
		_, err := d.DB.LocalFinish(ctx, lost, func() error {
			d.Log.Warn("a build is lost", "job", b.Job, "number", b.Number, "runner", id)
			_, err := d.call(request{Op: opMarkLost, Job: b.Job, Number: b.Number, Ended: ended})
			return err
		})
		if err != nil {
			return err
		}
	}
	_, err := d.call(request{Op: opCleanUp, Runners: []string{id}})
	return err
}
