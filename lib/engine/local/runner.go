package local

import (
	"context"
	"errors"

	"toaster.do/lib/engine"
)

// Runner is Dispatcher and Executor in one process. It takes builds from the queue and runs them; several runners may
// share a queue.
type Runner struct {
	Executor
	DB   runnerStore
	Open func(job string, sealed []byte) (engine.Secrets, error) // see Dispatcher
}

// Run takes and runs builds until ctx ends. Then it stops those that run, which end as aborted within ten
// seconds; starts that wait go on waiting.
//
// A runner that is killed takes its builds along: a watchdog, which is a small shell, ends each of them as soon
// as the runner is gone. Another runner, at its start or while it runs, then marks them as lost and removes
// what they left behind.
func (r *Runner) Run(ctx context.Context) error {
	dispatcherConn, executorConn, err := connPair()
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- r.Executor.Run(ctx, executorConn) }()
	d := Dispatcher{DB: r.DB, Dir: r.Dir, Make: r.Make, Open: r.Open, Log: r.Log}
	err = d.Run(dispatcherConn)
	return errors.Join(<-ended, err)
}
