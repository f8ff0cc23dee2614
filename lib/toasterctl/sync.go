package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"toaster.do/lib/app"
	"toaster.do/lib/apperr"
	"toaster.do/lib/auth"
	"toaster.do/lib/config"
	"toaster.do/lib/hooks"
	"toaster.do/lib/mail"
	"toaster.do/lib/store"
)

// How long sync and its steps may take: cron begins the next one after a minute.
const (
	syncTime   = 55 * time.Second
	mailTime   = 15 * time.Second
	expireTime = 10 * time.Second
	engineTime = 20 * time.Second
	hookTime   = 15 * time.Second
)

type syncCommand struct{}

func (syncCommand) Help() string {
	return "Sends emails, calls hooks, deletes old builds, and synchronizes the jobs and builds of the database with the " +
		"engine. " +
		"It prints nothing if there is nothing to do. It ends within a minute: the next run does the rest. " +
		"The exit code is 1 if something failed; the next run tries it again. If another sync is running, it does nothing. " +
		"In a crontab:\n\n" +
		"    * * * * * www-data toasterctl sync >/dev/null"
}

func (syncCommand) Run(w *world) error {
	return w.withService(func(cfg *config.Config, s *site) error {
		jobs, err := synchronise(w.ctx, cfg, s)
		if errors.Is(err, errOther) {
			_, err = fmt.Fprintln(w.out, "Another sync is running. Nothing was done.")
			return err
		}
		if err != nil {
			message, _ := explain(first(err))
			return apperr.New(apperr.KindOf(err), "Sync failed partly: %s", "The next sync tries again.", message)
		}
		if jobs > 0 {
			_, err = fmt.Fprintf(w.out, "Updated: %s.\n", count(jobs, "job"))
		}
		return err
	})
}

// errOther is of a sync that found another one at work.
var errOther = errors.New("another sync is running")

// synchronise is what cron does every minute: one at a time. A step that fails, or takes too long, doesn't keep the
// others from being taken: mail comes first, since somebody waits for the email that activates an account.
func synchronise(ctx context.Context, cfg *config.Config, s *site) (jobs int, err error) {
	lock, err := os.Open(filepath.Dir(cfg.Paths.Database))
	if err != nil {
		return 0, err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		return 0, errOther
	} else if err != nil {
		return 0, err
	}
	all, cancel := context.WithTimeout(ctx, syncTime)
	defer cancel()
	accounts := auth.New(cfg, s.DB)
	accounts.Changes = s.packageChanges
	send := func(ctx context.Context) error { return deliver(ctx, cfg, s) }
	// What waits is not kept by what takes its time before the builds that end now are known.
	earlier := inBackground(all, hookTime, "Hooks were not called", callHooks(cfg, s))
	errs := []error{
		timed(all, mailTime, "Emails were not sent", send),
		timed(all, mailTime, "Old accounts were not deleted", accounts.Tidy),
	}
	gone := timed(all, expireTime, "Old builds were not deleted", s.Expire)
	errs = append(errs, gone)
	if gone == nil || apperr.KindOf(gone) != apperr.Unavailable {
		errs = append(errs, timed(all, engineTime, "Not all jobs were updated", func(ctx context.Context) (err error) {
			if err = s.Readdress(ctx); err == nil {
				jobs, err = s.Reconcile(ctx)
			}
			return err
		}))
	}
	errs = append(errs, <-earlier)
	called := inBackground(all, hookTime, "Hooks were not called", callHooks(cfg, s))
	errs = append(errs,
		timed(all, engineTime, "Not all scheduled builds were started", s.StartDue),
		timed(all, mailTime, "Repositories were not fetched", func(ctx context.Context) error {
			return startFetching(ctx, cfg, s)
		}),
		timed(all, expireTime, "Old build contexts were not deleted", s.SweepContexts),
		timed(all, mailTime, "Emails about builds were not written", accounts.NotifyEnds),
		timed(all, mailTime, "Emails were not sent", send),
		timed(all, syncTime, "Not all Dockerfiles were checked again", s.Recheck),
	)
	errs = append(errs, <-called)
	if ctx.Err() == nil {
		errs = append(errs, s.DB.SetSetting(ctx, "sync", time.Now().UTC().Format(time.RFC3339)))
	}
	return jobs, errors.Join(errs...)
}

// packageChanges is PackageChanges for emails.
func (s *site) packageChanges(ctx context.Context, j *store.Job, number int) (list []auth.PackageChange, since int,
	err error) {
	changes, since, err := s.PackageChanges(ctx, j.UserID, j.ID, number)
	for _, c := range changes {
		list = append(list, auth.PackageChange(c))
	}
	return list, since, err
}

// timed takes a step, which has so long for it.
func timed(ctx context.Context, d time.Duration, unfinished string, step func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	err := step(limited)
	if err != nil && errors.Is(limited.Err(), context.DeadlineExceeded) {
		return apperr.Wrap(apperr.Unavailable, err, "%s in time.", "The next sync continues.", unfinished)
	}
	return err
}

// inBackground is timed beside what follows.
func inBackground(ctx context.Context, d time.Duration, unfinished string,
	step func(context.Context) error) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- timed(ctx, d, unfinished, step) }()
	return ended
}

func callHooks(cfg *config.Config, s *site) func(context.Context) error {
	sender := hooks.Sender{Store: s.DB, Config: cfg, Agent: "toaster/" + app.Version, Now: time.Now, Log: s.Logger}
	return sender.Deliver
}

func deliver(ctx context.Context, cfg *config.Config, s *site) error {
	_, err := mail.Deliver(ctx, cfg, s.DB, time.Now, s.Logger)
	return err
}

// everyMinute does what cron does, until ctx ends.
func everyMinute(ctx context.Context, cfg *config.Config, s *site) {
	for tick := time.NewTicker(between); ; {
		if _, err := synchronise(ctx, cfg, s); err != nil && ctx.Err() == nil && !errors.Is(err, errOther) {
			s.Logger.Error("sync failed partly; the next one tries again in a minute", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
