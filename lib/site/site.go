// Package site puts the rooms together as the configuration says. Only programs import it.
package site

import (
	"fmt"
	"log/slog"
	"time"

	"toaster.do/lib/build"
	"toaster.do/lib/config"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/local"
	"toaster.do/lib/sdk"
	"toaster.do/lib/store"
)

// Version is toaster's, set when it is linked.
var Version = "devel"

// Service returns the use cases of jobs on the engine that the configuration names.
func Service(cfg *config.Config, db *store.DB, logger *slog.Logger) (*build.Service, error) {
	targets, err := sdk.LoadTargets(cfg.Paths.Targets)
	if err != nil {
		return nil, err
	}
	if cfg.Engine != "local" {
		return nil, fmt.Errorf("%s: engine %q is not built in; use \"local\"", cfg.Path, cfg.Engine)
	}
	return &build.Service{
		Store: db, Engine: local.New(db, cfg.Paths.Builds), Targets: targets,
			Builds: store.Limits{
				Running: cfg.Limits.Running, Daily: cfg.Limits.Daily, Bytes: int64(cfg.Limits.Artifacts),
				KeepDays: cfg.Limits.KeepDays, Queue: cfg.Limits.Queue,
			},
		Limits: build.Limits{
			Dockerfile: int64(cfg.Limits.Dockerfile), Context: Context(cfg), Jobs: cfg.Limits.Jobs,
			Keep: cfg.Local.Keep, TimeLimit: cfg.Local.TimeLimit,
		},
		Version: Version, Now: time.Now, Logger: logger,
	}, nil
}

// Context returns the limits of a build context.
func Context(cfg *config.Config) dockerfile.Limits {
	return dockerfile.Limits{Compressed: int64(cfg.Limits.Context), Unpacked: int64(cfg.Limits.ContextUnpacked), Entries: cfg.Limits.ContextEntries}
}
