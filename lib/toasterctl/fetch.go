package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"time"

	"toaster.do/lib/config"
)

type fetchCommand struct{}

func (fetchCommand) Help() string {
	return "Fetches the Git repositories that builds wait for, and those of new jobs, until there are none left. " +
		"“toasterctl sync” and “toasterctl runner” start it: one runs at a time, and another one does nothing. " +
		"What it was fetching when it was stopped is fetched by the next one."
}

func (fetchCommand) Run(w *world) error {
	defer w.untilSignal()()
	return w.withService(func(_ *config.Config, s *site) error {
		if err := s.FetchDue(w.ctx); err != nil && w.ctx.Err() == nil {
			return err
		}
		return nil
	})
}

// startFetching starts “toasterctl fetch”, which takes longer than a sync may, where a repository is to be fetched.
func startFetching(ctx context.Context, cfg *config.Config, s *site) error {
	due, err := s.DB.DueFetches(ctx)
	if err != nil || len(due) == 0 {
		return err
	}
	// This very program, also where an upgrade has just replaced its file. It outlives its parent.
	cmd := exec.Command("/proc/self/exe", "fetch", "--config", cfg.Path)
	cmd.Args[0] = os.Args[0]
	cmd.Dir, cmd.Stderr = "/", os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // its log has why it failed
	return nil
}

// fetchEverySecond fetches what waits, without waiting for the next sync, until ctx ends.
func fetchEverySecond(ctx context.Context, s *site, logger *slog.Logger) {
	for {
		pause := time.Second
		if err := s.FetchDue(ctx); err != nil && !errors.Is(err, context.Canceled) {
			logger.Error("repositories were not fetched; they are tried again in a minute", slog.Any("error", err))
			pause = time.Minute
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
