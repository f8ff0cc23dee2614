package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"toaster.do/lib/app"
	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/engine/local"
	"toaster.do/lib/host"
	"toaster.do/lib/store"
)

type migrateCommand struct {
	Check bool `help:"Only check whether a migration is needed: the exit code is 1 if it is."`
}

func (migrateCommand) Help() string {
	return "The database is first copied to a file in the same folder. To go back, you need that copy or a backup: " +
		"an older version rejects a newer database."
}

func (c migrateCommand) Run(w *world) error {
	cfg, err := w.load()
	if err != nil {
		return err
	}
	if err := actAsOwner(cfg.Paths.Database); err != nil {
		return err
	}
	if c.Check {
		return migrationDue(w, cfg)
	}
	from, to, err := store.Migrate(w.ctx, cfg.Paths.Database)
	if err != nil {
		return err
	}
	n, err := sealFactors(w, cfg)
	if err != nil {
		return err
	}
	if n.Stale > 0 {
		if _, err := fmt.Fprintf(w.out, "%s encrypted.\n", wereDone(n.Stale)); err != nil {
			return err
		}
	}
	if from == to {
		_, err = fmt.Fprintf(w.out, "The database has schema version %d. No migration was needed.\n", to)
	} else {
		_, err = fmt.Fprintf(w.out, "The database was migrated from schema version %d to %d.\n", from, to)
		if from > 0 {
			_, err = fmt.Fprintf(w.out, "A copy of the old database is in %s.\n", store.CopyOf(cfg.Paths.Database, from))
		}
	}
	return err
}

func migrationDue(w *world, cfg *config.Config) error {
	have, want, err := store.Schema(w.ctx, cfg.Paths.Database)
	if err != nil {
		return err
	}
	if have < want {
		return apperr.New(apperr.FailedPrecondition, "The database has schema version %d. This version needs %d.",
			"Run “toasterctl migrate”.", have, want)
	}
	if err := sealingDue(w, cfg); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.out, "The database has schema version %d. No migration is needed.\n", have)
	return err
}

type runnerCommand struct {
	Drain      bool          `help:"Stop the running runner after its current builds, and wait for it. It takes no new builds."`
	Limit      time.Duration `placeholder:"DURATION" help:"With --drain: maximum time to wait, such as 30m. Default: until all builds have finished."`
	Dispatcher bool          `hidden:"" help:"Internal: the process of the runner that uses the database."`
}

func (runnerCommand) Help() string {
	return "If root starts it, it runs as two processes: one uses the database as its owner; the other runs builds and " +
		"stores their logs " +
		"and artifacts as the owner of the folder, and uses root privileges only where a build needs them. SIGINT or " +
		"SIGTERM stops both and interrupts running builds, which are queued again once.\n\n" +
		"Use --drain before an upgrade or a restart to let running builds finish. The exit code is 0 if the runner has " +
		"stopped or none was running, and 1 if " +
		"builds are still running after the limit or the command was interrupted. In that case, the runner still takes no " +
		"new builds, and stops after the running ones. " +
		"Queued builds wait for the next runner:\n\n    toasterctl runner --drain --limit 1h && service toaster-runner " +
		"restart"
}

func (c runnerCommand) Run(w *world) error {
	if c.Dispatcher {
		return runDispatcher(w)
	}
	if c.Limit < 0 || c.Limit > 0 && !c.Drain {
		return misused("--limit needs --drain, and can't be negative")
	}
	defer w.untilSignal()()
	cfg, err := w.load()
	if err != nil {
		return err
	}
	if cfg.Engine != "local" {
		// No failure: init systems start it on every host.
		_, err := fmt.Fprintf(w.err, "%s: the engine %q needs no runner.\n", cfg.Path, cfg.Engine)
		return err
	}
	if c.Drain {
		return drain(w, cfg, c.Limit)
	}
	k := app.Executor(cfg, w.runnerIDs(cfg), cfg.Log.Logger(w.err))
	user, err := local.ForeignOwner(filepath.Dir(cfg.Paths.Database))
	if err != nil {
		return err
	}
	if user == nil {
		db, err := openDatabase(w, cfg)
		if err != nil {
			return err
		}
		defer db.Close()
		stop, err := startFetcher(w, cfg, db)
		if err != nil {
			return err
		}
		defer stop()
		r := local.Runner{Executor: *k, DB: db, Open: app.SecretOpener(cfg)}
		return r.Run(w.ctx)
	}
	// This very program, also where an upgrade has just replaced its file.
	half := exec.Command("/proc/self/exe", "runner", "--dispatcher", "--config", cfg.Path)
	half.Args[0] = os.Args[0]
	half.Dir, half.Stdout, half.Stderr = "/", w.out, w.err
	err = k.RunSeparate(w.ctx, half, user)
	if ended := (*exec.ExitError)(nil); errors.As(err, &ended) && ended.Exited() {
		return errSaid
	}
	return err
}

// drain waits until the runner of this host has ended with its builds.
func drain(w *world, cfg *config.Config, limit time.Duration) error {
	if err := actAsOwner(cfg.Paths.Database); err != nil {
		return err
	}
	db, err := openDatabase(w, cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	return local.Drain(w.ctx, db, cfg.Paths.Builds, limit, func(line string) { fmt.Fprintln(w.out, line) })
}

// startFetcher fetches repositories while the runner runs, as the database's owner.
func startFetcher(w *world, cfg *config.Config, db *store.DB) (stop func(), err error) {
	logger := cfg.Log.Logger(w.err)
	s, err := openSite(cfg, db, logger)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(w.ctx)
	var fetching sync.WaitGroup
	fetching.Go(func() { fetchEverySecond(ctx, s, logger) })
	return func() { cancel(); fetching.Wait() }, nil
}

// runDispatcher is the half of the runner that knows the database.
func runDispatcher(w *world) error {
	conn, err := local.DispatcherConn()
	if err != nil {
		return err
	}
	defer conn.Close()
	cfg, err := w.load()
	if err != nil {
		return err
	}
	db, err := openDatabase(w, cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	stop, err := startFetcher(w, cfg, db)
	if err != nil {
		return err
	}
	defer stop()
	q := local.Dispatcher{DB: db, Dir: cfg.Paths.Builds, Make: app.Maker(cfg), Open: app.SecretOpener(cfg),
		Log: cfg.Log.Logger(w.err)}
	return q.Run(conn)
}

// runnerIDs returns the ids of each slot, and takes as many slots as there are ids for. Where there are none it leaves
// one: the build says so, too.
func (w *world) runnerIDs(cfg *config.Config) []int {
	_, ids := host.BuildIDs()
	concurrency := max(1, min(cfg.Local.Concurrency, len(ids)))
	if command := host.MissingIDs(cfg.Local.Concurrency); command != nil {
		cfg.Log.Logger(w.err).Warn(fmt.Sprintf("there are user IDs for %s at once, but local.concurrency is %d: as root, "+
			"run %s",
			count(len(ids), "build"), cfg.Local.Concurrency, strings.Join(command, " ")))
	}
	cfg.Local.Concurrency = concurrency
	return ids[:min(concurrency, len(ids))]
}

// first returns the first of errors that were joined.
func first(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return first(joined.Unwrap()[0])
	}
	return err
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
