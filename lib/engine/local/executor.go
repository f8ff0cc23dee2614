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
	"toaster.do/lib/i18n"
)

// Executor is the half of a runner that makes and runs the build scripts, and keeps logs and artifacts. It does what a
// Dispatcher asks of it, as far as that is a build's due: it may be root, and the Dispatcher belong to somebody else.
type Executor struct {
	Dir           string                                   // where logs and artifacts go: the same as the Engine's
	WorkDir       string                                   // where builds work, each in a folder that goes when it ends
	Contexts      string                                   // where the build contexts of users are: see package contexts
	Make          func(engine.Source) (engine.Made, error) // makes the script of a source, which may come from anywhere
	Separate      bool                                     // the Dispatcher is another user's, who may own no path
	Concurrency   int                                      // builds at once, at least 1
	IDs           []int                                    // each slot's first of 65536 subordinate ids; empty: any
	Env           []string                                 // for the scripts, beside what all get
	TimeLimit     time.Duration                            // a build's, whose job has none of its own; 0: no limit
	OutputLimit   int64                                    // the most a build may write to its log, bytes; 0: no limit
	ArtifactLimit int64                                    // the most that a build may leave, bytes; 0: no limit
	FreeDisk      int64                                    // bytes that the disk of Dir has to keep
	Log           *slog.Logger                             // nil: the default
}

// executor is an Executor that runs.
type executor struct {
	Executor
	*wire
	id               string
	lock, work, dirs *os.File   // held as long as it lives: see runnersFolder, its folder in WorkDir, and Dir
	claimed          []*os.File // likewise: see claimIDs
	closing          chan struct{}
	drained          chan struct{} // the Dispatcher wants no more
	contain          bool          // builds get a process namespace of their own

	mu     sync.Mutex
	builds map[int64]*buildRun // by ticket
	free   []int               // slots
	active sync.WaitGroup
}

var shutdownOutcome = &outcome{engine.Lost, i18n.T("The runner was shut down during this build.")}

// shutdownGrace is how long a Dispatcher has to write down the ends of builds when the runner ends.
const shutdownGrace = 15 * time.Second

// Run does what the Dispatcher at the other end of conn asks for, until ctx ends or the Dispatcher is gone. Then it
// stops all builds.
func (k *Executor) Run(ctx context.Context, conn io.ReadWriteCloser) error {
	defer conn.Close()
	e := &executor{
		Executor: *k, wire: &wire{ReadWriteCloser: conn}, id: runnerPrefix + rand.Text(),
		builds: map[int64]*buildRun{}, closing: make(chan struct{}), drained: make(chan struct{}, 1),
	}
	if err := e.open(); err != nil {
		e.send(reply{Error: err.Error()})
		return fmt.Errorf("runner: %w", err)
	}
	defer e.close()
	if err := e.send(reply{Hello: &hello{e.id, e.Concurrency}}); err != nil {
		return fmt.Errorf("runner: the half that knows the database is gone: %w", err)
	}
	gone := make(chan error, 1)
	go func() { gone <- e.serve() }()
	var err error
	select {
	case err = <-gone:
		e.stopAll(shutdownOutcome)
	case <-e.drained:
		e.stopAll(shutdownOutcome)
		<-gone
		return nil
	case <-ctx.Done():
		e.send(reply{Closes: true})
		e.stopAll(shutdownOutcome)
		select {
		case <-gone:
		case <-time.After(shutdownGrace):
		}
		return nil
	}
	return fmt.Errorf("runner: the half that knows the database is gone: %w", err)
}

func (e *executor) open() (err error) {
	e.Concurrency = max(e.Concurrency, 1)
	if e.Log == nil {
		e.Log = slog.Default()
	}
	if err = e.openDir(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(e.Dir, runnersFolder), 0o750); err != nil {
		return err
	}
	err = AsRoot(func() (err error) {
		if e.Separate {
			if err := CheckRootOwned(e.WorkDir); err != nil {
				return err
			}
		}
		if e.WorkDir, err = makeRealDir(e.WorkDir); err != nil {
			return err
		}
		if e.work, err = lockFile(e.workFolder(), func() error { return os.MkdirAll(e.workFolder(), 0o711) }); err != nil {
			return err
		}
		return e.claimIDs()
	})
	if err != nil {
		return err
	}
	for i := range e.Concurrency {
		e.free = append(e.free, e.Concurrency-1-i)
	}
	e.lock, err = lockFile(e.runnerFile(),
		func() error { return os.WriteFile(e.runnerFile(), fmt.Appendln(nil, e.Concurrency), 0o640) })
	if err != nil {
		e.close()
		return err
	}
	e.contain = canContain()
	return nil
}

// claimIDs takes ids for the slots that no other runner has, and gives up the slots that there are none for.
func (e *executor) claimIDs() error {
	if len(e.IDs) == 0 {
		return nil
	}
	var mine []int
	for _, first := range e.IDs {
		path := filepath.Join(e.WorkDir, fmt.Sprintf("ids-%d", first))
		f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
		if err != nil {
			return err
		}
		if flock(f, syscall.LOCK_EX|syscall.LOCK_NB) != nil {
			f.Close()
			continue
		}
		e.claimed = append(e.claimed, f)
		if mine = append(mine, first); len(mine) == e.Concurrency {
			break
		}
	}
	if len(mine) == 0 {
		return errors.New(
			"another runner uses all the user ids that builds have here: add more to /etc/subuid and /etc/subgid")
	}
	e.IDs, e.Concurrency = mine, len(mine)
	return nil
}

// makeRealDir makes a directory and returns its absolute path without symbolic links, as scripts and mountBelow need
// it.
func makeRealDir(path string) (string, error) {
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

func (e *executor) workFolder() string { return filepath.Join(e.WorkDir, e.id) }
func (e *executor) runnerFile() string { return filepath.Join(e.Dir, runnersFolder, e.id) }

func (e *executor) close() {
	e.active.Wait()
	if err := e.removeFiles(e.id); err != nil {
		e.Log.Error("clearing up", "error", err)
	}
	for _, f := range append([]*os.File{e.work, e.lock, e.dirs}, e.claimed...) {
		f.Close() // nil is an error only
	}
}

// serve answers requests until the Dispatcher is gone, or says what can't be.
func (e *executor) serve() error {
	for {
		var r request
		if err := e.receive(&r); err != nil {
			return err
		}
		if err := r.check(); err != nil {
			e.Log.Error("the runner was asked for what can't be", "error", err)
			e.send(reply{ID: r.ID, Error: err.Error()})
			continue
		}
		// These can take long.
		if r.Op == opFindDead || r.Op == opCleanUp {
			e.active.Go(func() { e.handle(r) })
			continue
		}
		e.handle(r)
	}
}

func (e *executor) handle(r request) {
	answer := reply{ID: r.ID}
	var err error
	switch r.Op {
	case opPrepare:
		err = e.prepareBuild(r)
	case opBuild:
		err = e.startBuild(r)
	case opStop:
		e.stopBuild(r.Ticket, &outcome{engine.Aborted, i18n.T("Stopped.")})
	case opPublish:
		err = e.publish(r.Ticket)
	case opRelease:
		e.release(r.Ticket)
	case opDelete:
		err = e.deleteBuild(r.Job, r.Number)
	case opShutDown:
		select {
		case e.drained <- struct{}{}:
		default:
		}
	case opHeartbeat:
		now := time.Now()
		err = os.Chtimes(e.runnerFile(), now, now)
	case opFindDead:
		answer.Dead = e.findDead(r.Runners)
	case opMarkLost:
		err = e.markLost(r)
	case opCleanUp:
		err = e.removeDead(r.Runners)
	}
	if err != nil {
		e.Log.Error("the runner could not do what was asked of it", "request", r.Op, "error", err)
		answer.Error = err.Error()
	}
	e.send(answer)
}

var errNoBuild = errors.New("no such build is at hand")

// prepareBuild makes the place of a build's log and artifacts, opens its log, and gives it a slot.
func (e *executor) prepareBuild(r request) error {
	e.release(r.Ticket) // from a try that was not committed
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.free) == 0 {
		return errors.New("no slot is free")
	}
	select {
	case <-e.closing:
		return errors.New("the runner ends")
	default:
	}
	path := folder(r.Job, r.Number)
	// From another database.
	var trash trash
	defer trash.empty()
	if err := trash.add(e.Dir, path); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(e.Dir, path), 0o750); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(e.Dir, path, "log"), os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	last := len(e.free) - 1
	e.builds[r.Ticket] = &buildRun{
		executor: e, ticket: r.Ticket, job: r.Job, number: r.Number, slot: e.free[last], log: log, begun: time.Now(),
	}
	e.free = e.free[:last]
	return nil
}

// startBuild begins a build that has its place.
func (e *executor) startBuild(r request) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	run := e.builds[r.Ticket]
	if run == nil || run.stop != nil {
		return errNoBuild
	}
	run.request = r
	ctx, stop := context.WithCancelCause(context.Background())
	run.stop, run.ended = stop, make(chan struct{})
	select {
	case <-e.closing:
		stop(shutdownOutcome)
	default:
	}
	e.active.Go(func() {
		end := run.run(ctx)
		stop(nil)
		close(run.ended)
		e.send(reply{End: &end})
	})
	return nil
}

func (e *executor) stopBuild(ticket int64, why *outcome) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if run := e.builds[ticket]; run != nil && run.stop != nil {
		run.stop(why)
	}
}

// stopAll stops all builds and returns when they have ended.
func (e *executor) stopAll(why *outcome) {
	e.mu.Lock()
	close(e.closing)
	var all []*buildRun
	for _, run := range e.builds {
		if run.stop != nil {
			run.stop(why)
			all = append(all, run)
		}
	}
	e.mu.Unlock()
	for _, run := range all {
		<-run.ended
	}
}

// publish puts the artifacts of a build that has ended where the engine looks for them.
func (e *executor) publish(ticket int64) error {
	e.mu.Lock()
	run := e.builds[ticket]
	e.mu.Unlock()
	if run == nil || !run.hasEnded() {
		return errNoBuild
	}
	return run.publish()
}

// release gives up the slot of a build that has ended, or never began, with what it left and nobody wants.
func (e *executor) release(ticket int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	run := e.builds[ticket]
	if run == nil || run.stop != nil && !run.hasEnded() {
		return
	}
	os.RemoveAll(run.stagePath())
	run.log.Close()
	delete(e.builds, ticket)
	e.free = append(e.free, run.slot)
}

// deleteBuild deletes a build's files, and the job's folder with the last of them.
func (e *executor) deleteBuild(job string, number int) error {
	var trash trash
	if err := trash.add(e.Dir, folder(job, number)); err != nil {
		return err
	}
	os.Remove(filepath.Join(e.Dir, job)) // unless there is more in it
	e.active.Go(trash.empty)
	return nil
}
