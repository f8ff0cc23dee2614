package main

import (
	"fmt"

	"toaster.do/lib/config"
	"toaster.do/lib/fault"
	"toaster.do/lib/local"
	"toaster.do/lib/store"
)

type migrateCommand struct {
	Check bool `help:"Only say whether there is something to do: the exit status is 1 when there is."`
}

func (migrateCommand) Help() string {
	return "The database is copied first, to a file beside it. There is no way back but that copy, or a backup: " +
		"a database of a newer version is refused."
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
		if _, err := fmt.Fprintf(w.out, "%s sealed.\n", wereDone(n.Stale)); err != nil {
			return err
		}
	}
	if from == to {
		_, err = fmt.Fprintf(w.out, "The database is at schema version %d: nothing was to do.\n", to)
	} else {
		_, err = fmt.Fprintf(w.out, "The database was brought from schema version %d to %d.\n", from, to)
		if from > 0 {
			_, err = fmt.Fprintf(w.out, "It is kept as it was in %s.\n", store.CopyOf(cfg.Paths.Database, from))
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
		return fault.New(fault.Conflict, fmt.Sprintf("The database is at schema version %d, this version works with %d.", have, want), "Run “toasterctl migrate”.")
	}
	if err := sealingDue(w, cfg); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.out, "The database is at schema version %d: nothing is to do.\n", have)
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
		// No failure: init systems start it on every host.
		_, err := fmt.Fprintf(w.err, "%s: the engine is %q, which needs no runner.\n", cfg.Path, cfg.Engine)
		return err
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
		TimeLimit: cfg.Local.TimeLimit, OutputLimit: int64(cfg.Local.OutputLimit), Log: cfg.Log.Logger(w.err),
	}
	return r.Run(w.ctx)
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
