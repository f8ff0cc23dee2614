package main

import (
	"fmt"

	"toaster.do/lib/build"
	"toaster.do/lib/config"
	"toaster.do/lib/fault"
	"toaster.do/lib/local"
	"toaster.do/lib/store"
)

type migrateCommand struct{}

func (migrateCommand) Run(w *world) error {
	cfg, err := w.load()
	if err != nil {
		return err
	}
	if err := asOwner(cfg.Paths.Database); err != nil {
		return err
	}
	from, to, err := store.Migrate(w.ctx, cfg.Paths.Database)
	if err != nil {
		return err
	}
	if from == to {
		_, err = fmt.Fprintf(w.out, "The database is at schema version %d: nothing was to do.\n", to)
	} else {
		_, err = fmt.Fprintf(w.out, "The database was brought from schema version %d to %d.\n", from, to)
	}
	return err
}

type runnerCommand struct{}

func (runnerCommand) Help() string {
	return "Started by root, it acts as the owner of the database, and as root only where a build needs it. " +
		"SIGINT or SIGTERM ends it, and the builds that run."
}

func (runnerCommand) Run(w *world) error {
	defer w.untilSignal()()
	cfg, err := w.load()
	if err != nil {
		return err
	}
	if cfg.Engine != "local" {
		return fault.New(fault.Conflict, fmt.Sprintf("%s: the engine is %q, which needs no runner.", cfg.Path, cfg.Engine), "")
	}
	if err := local.Become(cfg.Paths.Database); err != nil {
		return err
	}
	db, err := openDatabase(w, cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	r := local.Runner{
		DB: db, Dir: cfg.Paths.Builds, WorkDir: cfg.Local.WorkDir, Slots: cfg.Local.Slots,
		TimeLimit: cfg.Local.TimeLimit, OutputLimit: int64(cfg.Local.OutputLimit), Log: w.logger(),
	}
	return r.Run(w.ctx)
}

type syncCommand struct{}

func (syncCommand) Help() string {
	return "Tells the engine what it was not told when it was away, and writes down what it has done since; prints nothing where nothing is open. " +
		"The exit status is 1 when something could not be done; it is tried again next time. In a crontab:\n\n" +
		"    * * * * * www-data toasterctl sync >/dev/null"
}

func (syncCommand) Run(w *world) error {
	return w.withService(func(_ *config.Config, s *build.Service) error {
		jobs, err := s.Reconcile(w.ctx)
		if err != nil {
			message, _ := explain(first(err))
			return fault.New(fault.KindOf(err), "Not all could be done: "+message, "The next sync tries again.")
		}
		if jobs > 0 {
			_, err = fmt.Fprintf(w.out, "Brought up to date: %s.\n", count(jobs, "job"))
		}
		return err
	})
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
