package local

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"toaster.do/lib/engine"
)

// Keeper is the half of a runner that makes and runs the build scripts, and keeps logs and artifacts. It does what a
// Queue asks of it, as far as that is a build's due: it may be root, and the Queue belong to somebody else.
type Keeper struct {
	Dir           string                              // where logs and artifacts go: the same as the Engine's
	WorkDir       string                              // where builds work, each in a folder that goes when it ends
	Make          func(engine.Source) ([]byte, error) // makes the script of a source, which may come from anywhere
	Apart         bool                                // the Queue is another user's, who may own no path
	Slots         int                                 // builds at once, at least 1
	IDs           []int                               // each slot's first of 65536 subordinate ids; empty: any
	Env           []string                            // for the scripts, beside what all get
	TimeLimit     time.Duration                       // a build's, whose job has none of its own; 0: no limit
	OutputLimit   int64                               // the most a build may write to its log, bytes; 0: no limit
	ArtifactLimit int64                               // the most that a build may leave, bytes; 0: no limit
	FreeDisk      int64                               // bytes that the disk of Dir has to keep
	Log           *slog.Logger                        // nil: the default
}

// keeper is a Keeper that runs.
type keeper struct {
	Keeper
	*wire
	id               string
	lock, work, dirs *os.File   // held as long as it lives: see runnersFolder, its folder in WorkDir, and Dir
	claimed          []*os.File // likewise: see claim
	closing          chan struct{}
	drained          chan struct{} // the Queue wants no more
	contain          bool          // builds get a process namespace of their own

	mu     sync.Mutex
	builds map[int64]*attempt // by ticket
	free   []int              // slots
	active sync.WaitGroup
}

var interrupted = &outcome{engine.Lost, "The runner was shut down during this build."}

// patience is how long a Queue has to write down the ends of builds when the runner ends.
const patience = 15 * time.Second

// Run does what the Queue at the other end of conn asks for, until ctx ends or the Queue is gone. Then it stops all
// builds.
func (k *Keeper) Run(ctx context.Context, conn io.ReadWriteCloser) error {
	defer conn.Close()
	w := &keeper{
		Keeper: *k, wire: &wire{ReadWriteCloser: conn}, id: runnerPrefix + rand.Text(),
		builds: map[int64]*attempt{}, closing: make(chan struct{}), drained: make(chan struct{}, 1),
	}
	if err := w.begin(); err != nil {
		w.send(reply{Error: err.Error()})
		return fmt.Errorf("runner: %w", err)
	}
	defer w.end()
	if err := w.send(reply{Hello: &hello{w.id, w.Slots}}); err != nil {
		return fmt.Errorf("runner: the half that knows the database is gone: %w", err)
	}
	gone := make(chan error, 1)
	go func() { gone <- w.serve() }()
	var err error
	select {
	case err = <-gone:
		w.stopAll(interrupted)
	case <-w.drained:
		w.stopAll(interrupted)
		<-gone
		return nil
	case <-ctx.Done():
		w.send(reply{Closes: true})
		w.stopAll(interrupted)
		select {
		case <-gone:
		case <-time.After(patience):
		}
		return nil
	}
	return fmt.Errorf("runner: the half that knows the database is gone: %w", err)
}

func (w *keeper) begin() (err error) {
	w.Slots = max(w.Slots, 1)
	if w.Log == nil {
		w.Log = slog.Default()
	}
	if err = w.pin(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(w.Dir, runnersFolder), 0o750); err != nil {
		return err
	}
	err = AsRoot(func() (err error) {
		if w.Apart {
			if err := RootsOwn(w.WorkDir); err != nil {
				return err
			}
		}
		if w.WorkDir, err = realFolder(w.WorkDir); err != nil {
			return err
		}
		if w.work, err = hold(w.workFolder(), func() error { return os.MkdirAll(w.workFolder(), 0o711) }); err != nil {
			return err
		}
		return w.claim()
	})
	if err != nil {
		return err
	}
	for i := range w.Slots {
		w.free = append(w.free, w.Slots-1-i)
	}
	w.lock, err = hold(w.runnerFile(),
		func() error { return os.WriteFile(w.runnerFile(), fmt.Appendln(nil, w.Slots), 0o640) })
	if err != nil {
		w.end()
		return err
	}
	w.contain = canContain()
	return nil
}

// claim takes ids for the slots that no other runner has, and gives up the slots that there are none for.
func (w *keeper) claim() error {
	if len(w.IDs) == 0 {
		return nil
	}
	var mine []int
	for _, first := range w.IDs {
		path := filepath.Join(w.WorkDir, fmt.Sprintf("ids-%d", first))
		f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
		if err != nil {
			return err
		}
		if flock(f, syscall.LOCK_EX|syscall.LOCK_NB) != nil {
			f.Close()
			continue
		}
		w.claimed = append(w.claimed, f)
		if mine = append(mine, first); len(mine) == w.Slots {
			break
		}
	}
	if len(mine) == 0 {
		return errors.New(
			"another runner uses all the user ids that builds have here: add more to /etc/subuid and /etc/subgid")
	}
	w.IDs, w.Slots = mine, len(mine)
	return nil
}

// realFolder makes a directory and returns its absolute path without symbolic links, as scripts and mounted need it.
func realFolder(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	// Others pass through to what is theirs, but see no names.
	if err := os.MkdirAll(path, 0o711); err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

func (w *keeper) workFolder() string { return filepath.Join(w.WorkDir, w.id) }
func (w *keeper) runnerFile() string { return filepath.Join(w.Dir, runnersFolder, w.id) }

func (w *keeper) end() {
	w.active.Wait()
	if err := w.clear(w.id); err != nil {
		w.Log.Error("clearing up", "error", err)
	}
	for _, f := range append([]*os.File{w.work, w.lock, w.dirs}, w.claimed...) {
		f.Close() // nil is an error only
	}
}

// serve answers requests until the Queue is gone, or says what can't be.
func (w *keeper) serve() error {
	for {
		var r request
		if err := w.receive(&r); err != nil {
			return err
		}
		if err := r.check(); err != nil {
			w.Log.Error("the runner was asked for what can't be", "error", err)
			w.send(reply{ID: r.ID, Error: err.Error()})
			continue
		}
		// These can take long.
		if r.Op == opDead || r.Op == opClear {
			w.active.Go(func() { w.answer(r) })
			continue
		}
		w.answer(r)
	}
}

func (w *keeper) answer(r request) {
	a := reply{ID: r.ID}
	var err error
	switch r.Op {
	case opPlace:
		err = w.place(r)
	case opBuild:
		err = w.build(r)
	case opStop:
		w.stop(r.Ticket, &outcome{engine.Aborted, "Stopped."})
	case opSettle:
		err = w.settle(r.Ticket)
	case opForget:
		w.forget(r.Ticket)
	case opDiscard:
		err = w.discard(r.Job, r.Number)
	case opEnd:
		select {
		case w.drained <- struct{}{}:
		default:
		}
	case opAlive:
		now := time.Now()
		err = os.Chtimes(w.runnerFile(), now, now)
	case opDead:
		a.Dead = w.dead(r.Runners)
	case opLose:
		err = w.lose(r)
	case opClear:
		err = w.clearDead(r.Runners)
	}
	if err != nil {
		w.Log.Error("the runner could not do what was asked of it", "request", r.Op, "error", err)
		a.Error = err.Error()
	}
	w.send(a)
}

var errNoBuild = errors.New("no such build is at hand")

// place makes the place of a build's log and artifacts, opens its log, and gives it a slot.
func (w *keeper) place(r request) error {
	w.forget(r.Ticket) // from a try that was not committed
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.free) == 0 {
		return errors.New("no slot is free")
	}
	select {
	case <-w.closing:
		return errors.New("the runner ends")
	default:
	}
	path := folder(r.Job, r.Number)
	// From another database.
	var trash trash
	defer trash.empty()
	if err := trash.add(w.Dir, path); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(w.Dir, path), 0o750); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(w.Dir, path, "log"), os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	last := len(w.free) - 1
	w.builds[r.Ticket] = &attempt{
		keeper: w, ticket: r.Ticket, job: r.Job, number: r.Number, slot: w.free[last], log: log, begun: time.Now(),
	}
	w.free = w.free[:last]
	return nil
}

// build begins a build that has its place.
func (w *keeper) build(r request) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.builds[r.Ticket]
	if a == nil || a.stop != nil {
		return errNoBuild
	}
	a.request = r
	ctx, stop := context.WithCancelCause(context.Background())
	a.stop, a.ended = stop, make(chan struct{})
	select {
	case <-w.closing:
		stop(interrupted)
	default:
	}
	w.active.Go(func() {
		end := a.run(ctx)
		stop(nil)
		close(a.ended)
		w.send(reply{End: &end})
	})
	return nil
}

func (w *keeper) stop(ticket int64, why *outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a := w.builds[ticket]; a != nil && a.stop != nil {
		a.stop(why)
	}
}

// stopAll stops all builds and returns when they have ended.
func (w *keeper) stopAll(why *outcome) {
	w.mu.Lock()
	close(w.closing)
	var all []*attempt
	for _, a := range w.builds {
		if a.stop != nil {
			a.stop(why)
			all = append(all, a)
		}
	}
	w.mu.Unlock()
	for _, a := range all {
		<-a.ended
	}
}

// settle puts the artifacts of a build that has ended where the engine looks for them.
func (w *keeper) settle(ticket int64) error {
	w.mu.Lock()
	a := w.builds[ticket]
	w.mu.Unlock()
	if a == nil || !a.hasEnded() {
		return errNoBuild
	}
	return a.settle()
}

// forget gives up the slot of a build that has ended, or never began, with what it left and nobody wants.
func (w *keeper) forget(ticket int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.builds[ticket]
	if a == nil || a.stop != nil && !a.hasEnded() {
		return
	}
	os.RemoveAll(a.staged())
	a.log.Close()
	delete(w.builds, ticket)
	w.free = append(w.free, a.slot)
}

// discard deletes a build's files, and the job's folder with the last of them.
func (w *keeper) discard(job string, number int) error {
	var trash trash
	if err := trash.add(w.Dir, folder(job, number)); err != nil {
		return err
	}
	os.Remove(filepath.Join(w.Dir, job)) // unless there is more in it
	w.active.Go(trash.empty)
	return nil
}
