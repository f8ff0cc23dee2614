package main

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"toaster.do/lib/app"
	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/engine/local"
	"toaster.do/lib/host"
	"toaster.do/lib/image/registry"
	"toaster.do/lib/jobs"
	"toaster.do/lib/shell"
	"toaster.do/lib/store"
)

// logger writes what the packages log to standard error.
func (w *world) logger() *slog.Logger { return slog.New(slog.NewTextHandler(w.err, nil)) }

// load reads the configuration.
func (w *world) load() (*config.Config, error) {
	cfg, err := config.Load(w.config)
	var path *fs.PathError
	if errors.Is(err, fs.ErrPermission) && errors.As(err, &path) {
		return nil, notYours(path.Path)
	}
	return cfg, err
}

// notYours says how to run the same command as who owns a path that can't be read.
func notYours(path string) error {
	for {
		fi, err := os.Stat(path)
		if err == nil {
			return apperr.New(apperr.PermissionDenied, "%s belongs to %s, and you are %s.", "Run the command as the owner: %s",
				path, host.UserName(host.Owner(fi)), host.UserName(os.Geteuid()), host.CommandAs(host.Owner(fi)))
		}
		path = filepath.Dir(path)
	}
}

// open reads the configuration and opens the site's database.
func (w *world) open() (*config.Config, *store.DB, error) {
	cfg, err := w.load()
	if err != nil {
		return nil, nil, err
	}
	db, err := openDatabase(w, cfg)
	return cfg, db, err
}

func openDatabase(w *world, cfg *config.Config) (*store.DB, error) {
	if err := asOwner(cfg.Paths.Database); err != nil {
		return nil, err
	}
	return store.Open(w.ctx, cfg.Paths.Database)
}

// site is an open site: the use cases of jobs, and the database for all else.
type site struct {
	*jobs.Service
	DB *store.DB
}

// withService runs f with the use cases of jobs.
func (w *world) withService(f func(*config.Config, *site) error) error {
	cfg, db, err := w.open()
	if err != nil {
		return err
	}
	defer db.Close()
	s, err := openSite(cfg, db, w.logger())
	if err != nil {
		return err
	}
	return f(cfg, s)
}

func openSite(cfg *config.Config, db *store.DB, logger *slog.Logger) (*site, error) {
	s, err := app.Service(cfg, db, logger)
	if err != nil {
		return nil, err
	}
	s.Images = registry.New(cfg.Registry, app.Version)
	return &site{s, db}, nil
}

// asOwner refuses to touch a database of another user, and says how to run the same command as its owner:
// files that SQLite makes beside it as the wrong user would lock the web server out.
func asOwner(database string) error {
	if err := twoOwners(database); err != nil {
		return err
	}
	for _, path := range []string{filepath.Dir(database), database} {
		fi, err := os.Stat(path)
		if err != nil {
			continue // package store says what is to be done
		}
		if host.Owner(fi) != os.Geteuid() {
			return notYours(path)
		}
	}
	return nil
}

// twoOwners refuses a database that is not its folder's owner's: no user could work with it. Mostly one of them became
// root's by mistake.
func twoOwners(database string) error {
	folder := filepath.Dir(database)
	dir, err := os.Stat(folder)
	if err != nil {
		return nil // as in asOwner
	}
	fi, err := os.Stat(database)
	if err != nil || host.Owner(dir) == host.Owner(fi) {
		return nil
	}
	path, wanted := database, host.Owner(dir)
	if wanted == 0 {
		path, wanted = folder, host.Owner(fi)
	}
	return apperr.New(apperr.FailedPrecondition, "%s belongs to %s, and its folder to %s.",
		"As root: chown %s: %s", database, host.UserName(host.Owner(fi)), host.UserName(host.Owner(dir)),
		shell.Quote(host.UserName(wanted)), shell.Quote(path))
}

// actAsOwner makes root act as the owner of a database, and refuses anybody else.
func actAsOwner(database string) error {
	if err := local.DropPrivileges(filepath.Dir(database)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return asOwner(database)
}
