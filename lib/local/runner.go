package local

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"toaster.do/lib/engine"
	"toaster.do/lib/store"
)

// Runner takes builds from the queue and runs them. Several runners may share a queue.
type Runner struct {
	DB          *store.DB
	Dir         string        // where logs and artifacts go: the same as the Engine's
	WorkDir     string        // where builds work; each has a folder of its own, removed when it has ended
	Slots       int           // builds at once, at least 1
	TimeLimit   time.Duration // the most a build may take whose job has no limit of its own; 0: no limit
	OutputLimit int64         // the most a build may write to its log, bytes; 0: no limit
	Log         *slog.Logger  // nil: the default
}

// tick is how often a runner looks at the queue: two indexed reads, some 50 µs.
const tick = 250 * time.Millisecond

// Run takes and runs builds until ctx ends. Then it stops those that run, which end as aborted within ten
// seconds; starts that wait go on waiting.
//
// A runner that is killed takes its builds along: a watchdog, which is a small shell, ends each of them as soon
// as the runner is gone. Another runner, at its start or while it runs, then marks them as lost and removes
// what they left behind.
func (r *Runner) Run(ctx context.Context) error {
	w, err := r.begin()
	if err != nil {
		return fmt.Errorf("runner: %w", err)
	}
	defer w.end()
	var sweeping sync.WaitGroup
	sweeping.Go(func() { w.sweeps(ctx) })
	w.loop(ctx)
	w.stopAll(&outcome{engine.Aborted, "The runner was shut down."})
	sweeping.Wait()
	return nil
}

// worker is a Runner that runs.
type worker struct {
	Runner
	id         string
	lock, work *os.File           // held as long as it lives: see runnersFolder, and its folder in WorkDir
	running    map[int64]*attempt // by ticket
	done       chan int64
	closing    chan struct{} // closed when it is to end
}

func (r *Runner) begin() (*worker, error) {
	w := &worker{Runner: *r, id: "runner-" + rand.Text(), running: map[int64]*attempt{}, closing: make(chan struct{})}
	w.Slots = max(w.Slots, 1)
	w.done = make(chan int64, w.Slots)
	if w.Log == nil {
		w.Log = slog.Default()
	}
	var err error
	if w.Dir, err = filepath.Abs(w.Dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(w.Dir, runnersFolder), 0o750); err != nil {
		return nil, err
	}
	err = AsRoot(func() (err error) {
		if w.WorkDir, err = realFolder(w.WorkDir); err != nil {
			return err
		}
		w.work, err = hold(w.workFolder(), func() error { return os.MkdirAll(w.workFolder(), 0o711) })
		return err
	})
	if err != nil {
		return nil, err
	}
	w.lock, err = hold(w.runnerFile(), func() error { return os.WriteFile(w.runnerFile(), fmt.Appendln(nil, w.Slots), 0o640) })
	if err != nil {
		w.end()
		return nil, err
	}
	return w, nil
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

func (w *worker) workFolder() string { return filepath.Join(w.WorkDir, w.id) }
func (w *worker) runnerFile() string { return filepath.Join(w.Dir, runnersFolder, w.id) }

func (w *worker) end() {
	if err := w.clear(w.id); err != nil {
		w.Log.Error("clearing up", "error", err)
	}
	w.work.Close()
	if w.lock != nil {
		w.lock.Close()
	}
}

func (w *worker) loop(ctx context.Context) {
	w.Log.Info("runner starts", "runner", w.id, "slots", w.Slots)
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
		if time.Since(seen) > beat {
			seen = time.Now()
			os.Chtimes(w.runnerFile(), seen, seen)
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

// look stops builds that are to be stopped, and takes new ones while slots are free.
func (w *worker) look(ctx context.Context) error {
	running, waiting, err := w.DB.LocalOpen(ctx)
	if err != nil {
		return err
	}
	known := map[int64]store.LocalBuild{}
	for _, b := range running {
		known[b.Ticket] = b
	}
	for ticket, a := range w.running {
		if b, ok := known[ticket]; !ok || b.Stop {
			// One that is not there any more has ended just now, or its job was removed.
			a.stop(&outcome{engine.Aborted, "It was stopped."})
		}
	}
	for ; waiting > 0 && len(w.running) < w.Slots && ctx.Err() == nil; waiting-- {
		var log *os.File
		begun := time.Now()
		b, j, ok, err := w.DB.LocalTake(ctx, w.id, begun, func(b store.LocalBuild) (err error) {
			log, err = w.place(b)
			return err
		})
		if ok {
			w.start(b, j, log, begun)
			continue
		}
		if log != nil {
			log.Close()
		}
		return err
	}
	return nil
}

// place makes the place of a build's log and artifacts, and opens its log.
func (w *worker) place(b store.LocalBuild) (*os.File, error) {
	path := folder(b.Job, b.Number)
	// From another database, or from a try that was not committed.
	var trash trash
	defer trash.empty()
	if err := trash.add(w.Dir, path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(w.Dir, path), 0o750); err != nil {
		return nil, err
	}
	return os.OpenFile(filepath.Join(w.Dir, path, "log"), os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o640)
}

func (w *worker) start(b store.LocalBuild, j store.LocalJob, log *os.File, begun time.Time) {
	ctx, stop := context.WithCancelCause(context.Background())
	a := &attempt{worker: w, LocalBuild: b, job: j, log: log, stop: stop, begun: begun}
	w.running[b.Ticket] = a
	go func() {
		a.run(ctx)
		stop(nil)
		w.done <- b.Ticket
	}()
}

// stopAll stops all builds and returns when they have ended.
func (w *worker) stopAll(why *outcome) {
	close(w.closing)
	for _, a := range w.running {
		a.stop(why)
	}
	for len(w.running) > 0 {
		delete(w.running, <-w.done)
	}
}
