// Package app wires a site together as the configuration says. Only programs import it.
package app

import (
	"context"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/buildcontext"
	"toaster.do/lib/config"
	"toaster.do/lib/contexts"
	"toaster.do/lib/engine"
	"toaster.do/lib/engine/jenkins"
	"toaster.do/lib/engine/local"
	"toaster.do/lib/engine/reconcile"
	"toaster.do/lib/jobs"
	"toaster.do/lib/store"
	"toaster.do/lib/target"
)

// Version is toaster's, set when it is linked.
var Version = "devel"

// sealPurpose keeps the secrets of builds apart from all else that the site's keys encrypt.
const sealPurpose = "toaster: secrets of builds"

// gitPurpose keeps the keys and tokens of repositories apart from all else that the site's keys encrypt.
const gitPurpose = "toaster: keys of repositories"

// Service returns the use cases of jobs on the engine that the configuration names.
func Service(cfg *config.Config, db *store.DB, logger *slog.Logger) (*jobs.Service, error) {
	service := jobs.Service{
		Store: db, Contexts: Contexts(cfg), Reconciler: reconcile.Reconciler{Store: db, Now: time.Now, Logger: logger},
		Targets: targets(cfg),
		Limits: jobs.Limits{
			Dockerfile: int64(cfg.Limits.Dockerfile), Context: Context(cfg), Jobs: cfg.Limits.Jobs,
			Sources: int64(cfg.Limits.Sources),
			Builds: store.Limits{
				Running: cfg.Limits.ConcurrentBuilds, Daily: cfg.Limits.BuildsPerDay, Minutes: cfg.Limits.Minutes,
				Bytes:    int64(cfg.Limits.ArtifactBytes),
				KeepDays: cfg.Limits.KeepDays, Queue: cfg.Limits.Queue,
			},
			Keep: cfg.Local.Keep,
		},
		Plain: cfg.Registry.Plain, Version: Version, Host: Host(cfg), DiskSpace: func() error { return DiskSpace(cfg) },
		Seals: func() (engine.Sealer, error) { return cfg.Seals(sealPurpose) },
		Git:   git(cfg),
	}
	service.Engine, service.Lends = local.New(db, cfg.Paths.Builds), true
	if cfg.Engine == "jenkins" {
		controller, err := Jenkins(cfg, logger, &reconcile.OutageStore{Store: db, Now: time.Now, Logger: logger})
		if err != nil {
			return nil, err
		}
		service.Engine, service.Lends, service.ContextAddress = controller, false, contextAddress(cfg)
		service.Limits.Keep, service.Limits.TimeLimit = cfg.Jenkins.Keep, cfg.Jenkins.TimeLimit
		service.Limits.OutputLimit = int64(cfg.Jenkins.OutputLimit)
	}
	return jobs.New(service), nil
}

// git is how repositories are fetched, beside the database: by its owner.
func git(cfg *config.Config) jobs.Git {
	g := jobs.Git{Allow: slices.Concat(cfg.Git.Allow, cfg.Sandbox.Allow), SiteKeys: cfg.Git.HostKeys,
		Dir: filepath.Join(filepath.Dir(cfg.Paths.Database), "git"), TimeLimit: cfg.Git.TimeLimit.Duration,
		Seals: func() (engine.Sealer, error) { return cfg.Seals(gitPurpose) }}
	if os.Getuid() == 0 { // git is somebody else then, who gets to that folder
		g.Dir = filepath.Join(cfg.Local.WorkDir, "git")
	}
	for _, name := range []string{"http_proxy", "https_proxy", "no_proxy"} {
		if value := os.Getenv(name); value != "" {
			g.Proxies = append(g.Proxies, name+"="+value)
		}
	}
	return g
}

// SealGitSecrets seals the keys and tokens of repositories with the newest keys of the site. It returns how many were
// not, and how many no key opens any more.
func SealGitSecrets(ctx context.Context, cfg *config.Config, db *store.DB) (stale, lost int, err error) {
	seals, err := cfg.Seals(gitPurpose)
	if err != nil {
		return 0, 0, err
	}
	list, err := db.GitSecrets(ctx)
	if err != nil {
		return 0, 0, err
	}
	for _, one := range list {
		text, newest, err := seals.Open(one.Sealed, []byte(one.JobID))
		switch {
		case err != nil:
			lost++
		case !newest:
			if err := db.SealGitSecret(ctx, one, seals.Seal(text, []byte(one.JobID))); err != nil {
				return stale, lost, err
			}
			stale++
		}
	}
	return stale, lost, nil
}

// Host is this site's, as images of its builds begin.
func Host(cfg *config.Config) string {
	u, err := url.Parse(cfg.Site.URL)
	if err != nil {
		return ""
	}
	return u.Host
}

// Targets reads the targets that the configuration names.
func Targets(cfg *config.Config) (*target.Targets, error) {
	t, err := target.LoadTargets(cfg.Paths.Targets)
	if err != nil {
		return nil, err
	}
	return t.WithSilence(cfg.Limits.Silence.Duration), nil
}

// targets reads the file when it is first asked for; one that is wrong is read again, as somebody may have corrected
// it.
func targets(cfg *config.Config) func() (*target.Targets, error) {
	var mu sync.Mutex
	var known *target.Targets
	return func() (_ *target.Targets, err error) {
		mu.Lock()
		defer mu.Unlock()
		if known == nil {
			known, err = Targets(cfg)
		}
		return known, err
	}
}

// Jenkins returns the engine on the controller that the configuration names, which remembers outages where there
// is a store of them. It doesn't use the network.
func Jenkins(cfg *config.Config, logger *slog.Logger, outages jenkins.OutageStore) (*jenkins.Engine, error) {
	token, password, err := cfg.Secret()
	if err != nil {
		return nil, err
	}
	j := cfg.Jenkins
	e, err := jenkins.New(jenkins.Options{
		URL: j.URL, User: j.User, Token: token, Password: password, View: j.View, CA: j.CA,
		Connect: j.ConnectTimeout, Call: j.CallTimeout, Logger: logger, Outages: outages,
		Site: cfg.Site.URL,
	})
	if err != nil {
		return nil, apperr.Wrap(apperr.Unavailable, err, "The build service of this site is not set up.",
			"Administrator: see the log.")
	}
	return e, nil
}

// Context returns the limits of a build context.
func Context(cfg *config.Config) buildcontext.Limits {
	return buildcontext.Limits{Bytes: int64(cfg.Limits.Context), Entries: cfg.Limits.ContextEntries}
}

// Contexts returns the build contexts of the site's users.
func Contexts(cfg *config.Config) *contexts.Store {
	return &contexts.Store{Dir: cfg.Paths.Contexts, Limits: Context(cfg), PerUser: int64(cfg.Limits.Contexts),
		FreeDisk: int64(cfg.Limits.FreeDisk)}
}
