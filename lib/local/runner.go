package local

import (
	"context"
	"log/slog"
	"time"

	"toaster.do/lib/store"
)

// Runner takes builds from the queue and runs them.
type Runner struct {
	DB          *store.DB
	Dir         string        // where logs and artifacts go: the same as the Engine's
	WorkDir     string        // where builds work; each has a folder of its own, removed when it has ended
	Slots       int           // builds at once, at least 1
	TimeLimit   time.Duration // the most a build may take, whatever its job says; 0: its job's limit only
	OutputLimit int64         // the most a build may write to its log, bytes; 0: no limit
	Log         *slog.Logger
}

// Become prepares a runner that was started as root for a database of another user: call it before store.Open.
// From then on the process acts as that user, and as root only where a build needs it. For any other user,
// and for root's own database, it does nothing.
func Become(database string) error { return errSoon }

// Run takes and runs builds until ctx ends, then stops those that run and returns.
func (r *Runner) Run(ctx context.Context) error { return errSoon }
