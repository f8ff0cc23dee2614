package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"toaster.do/lib/app"
	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/engine/local"
	"toaster.do/lib/jobs"
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
			return apperr.New(apperr.PermissionDenied, fmt.Sprintf("%s belongs to %s, and you are %s.", path, userName(owner(fi)), userName(os.Geteuid())),
				"Run the command as the owner: "+commandAs(owner(fi)))
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
	s, err := app.Service(cfg, db, w.logger())
	if err != nil {
		return err
	}
	return f(cfg, &site{s, db})
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
		if owner(fi) != os.Geteuid() {
			return notYours(path)
		}
	}
	return nil
}

// twoOwners refuses a database that is not its folder's owner's: no user could work with it. Mostly one of them became root's by mistake.
func twoOwners(database string) error {
	folder := filepath.Dir(database)
	dir, err := os.Stat(folder)
	if err != nil {
		return nil // as in asOwner
	}
	fi, err := os.Stat(database)
	if err != nil || owner(dir) == owner(fi) {
		return nil
	}
	path, wanted := database, owner(dir)
	if wanted == 0 {
		path, wanted = folder, owner(fi)
	}
	return apperr.New(apperr.FailedPrecondition, fmt.Sprintf("%s belongs to %s, and its folder to %s.", database, userName(owner(fi)), userName(owner(dir))),
		fmt.Sprintf("As root: chown %s: %s", shellWord(userName(wanted)), shellWord(path)))
}

// actAsOwner makes root act as the owner of a database, and refuses anybody else.
func actAsOwner(database string) error {
	if err := local.DropPrivileges(filepath.Dir(database)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return asOwner(database)
}

func owner(fi fs.FileInfo) int { return int(fi.Sys().(*syscall.Stat_t).Uid) }

func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return "uid " + strconv.Itoa(uid)
}

// commandAs returns this very command line as another user would run it. Root may lack sudo, but has runuser.
func commandAs(uid int) string {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	words := []string{"sudo", "-u", userName(uid)}
	u, err := user.LookupId(strconv.Itoa(uid))
	switch {
	case err != nil:
		words = []string{"sudo", "-u", "#" + strconv.Itoa(uid)}
	case os.Geteuid() == 0:
		words = []string{"runuser", "-u", u.Username, "--"}
	case uid == 0:
		words = []string{"sudo"}
	}
	if conf := os.Getenv("TOASTER_CONF"); conf != "" {
		words = append(words, "env", "TOASTER_CONF="+conf) // sudo keeps no such variable
	}
	words = append(append(words, self), os.Args[1:]...)
	for i, word := range words {
		words[i] = shellWord(word)
	}
	return strings.Join(words, " ")
}

// shellWord quotes a word for a POSIX shell where it has to be.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=@%+,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
