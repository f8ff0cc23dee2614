package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"toaster.do/lib/account"
	"toaster.do/lib/build"
	"toaster.do/lib/config"
	"toaster.do/lib/fault"
	"toaster.do/lib/mail"
)

type syncCommand struct{}

func (syncCommand) Help() string {
	return "Tells the engine what it was not told when it was away, writes down what it has done since, and removes what is kept no longer, sends mail; " +
		"prints nothing where nothing is open. " +
		"The exit status is 1 when something could not be done; it is tried again next time. In a crontab:\n\n" +
		"    * * * * * www-data toasterctl sync >/dev/null"
}

func (syncCommand) Run(w *world) error {
	return w.withService(func(cfg *config.Config, s *build.Service) error {
		jobs, err := synchronise(w.ctx, cfg, s)
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

// synchronise is what cron does every minute. One step that fails doesn't keep the others from being taken.
func synchronise(ctx context.Context, cfg *config.Config, s *build.Service) (jobs int, err error) {
	jobs, err = s.Reconcile(ctx)
	accounts := account.New(cfg, s.Store)
	return jobs, errors.Join(err,
		s.Expire(ctx),
		s.Recheck(ctx),
		accounts.Tidy(ctx),
		accounts.TellEnds(ctx),
		deliver(ctx, cfg, s),
		s.Store.SetFact(ctx, "sync", time.Now().UTC().Format(time.RFC3339)),
	)
}

func deliver(ctx context.Context, cfg *config.Config, s *build.Service) error {
	_, err := mail.Deliver(ctx, cfg, s.Store, time.Now, s.Logger)
	return err
}

// everyMinute does what cron does, until ctx ends.
func everyMinute(ctx context.Context, cfg *config.Config, s *build.Service) {
	for tick := time.NewTicker(between); ; {
		if _, err := synchronise(ctx, cfg, s); err != nil && ctx.Err() == nil {
			s.Logger.Error("not all could be done; it is tried again in a minute", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
