package local

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"toaster.do/lib/engine"
	"toaster.do/lib/store"
)

// Runner is Queue and Keeper in one process. It takes builds from the queue and runs them; several runners may share a queue.
type Runner struct {
	DB   *store.DB
	Log  *slog.Logger // nil: the default
	Make func(engine.Source) ([]byte, error)

	Dir           string        // where logs and artifacts go: the same as the Engine's
	WorkDir       string        // where builds work; each has a folder of its own, removed when it has ended
	Slots         int           // builds at once, at least 1
	TimeLimit     time.Duration // the most a build may take whose job has no limit of its own; 0: no limit
	OutputLimit   int64         // the most a build may write to its log, bytes; 0: no limit
	ArtifactLimit int64         // the most that a build may leave, bytes; 0: no limit
	FreeDisk      int64         // bytes that the disk of Dir has to keep
}

// Run takes and runs builds until ctx ends. Then it stops those that run, which end as aborted within ten
// seconds; starts that wait go on waiting.
//
// A runner that is killed takes its builds along: a watchdog, which is a small shell, ends each of them as soon
// as the runner is gone. Another runner, at its start or while it runs, then marks them as lost and removes
// what they left behind.
func (r *Runner) Run(ctx context.Context) error {
	queue, keeper, err := Pair()
	if err != nil {
		return err
	}
	kept := make(chan error, 1)
	go func() {
		k := Keeper{
			Dir: r.Dir, WorkDir: r.WorkDir, Make: r.Make, Slots: r.Slots, TimeLimit: r.TimeLimit, OutputLimit: r.OutputLimit,
			ArtifactLimit: r.ArtifactLimit, FreeDisk: r.FreeDisk, Log: r.Log,
		}
		kept <- k.Run(ctx, keeper)
	}()
	q := Queue{DB: r.DB, Dir: r.Dir, Make: r.Make, Log: r.Log}
	err = q.Run(queue)
	return errors.Join(<-kept, err)
}
