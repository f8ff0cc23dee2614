package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"toaster.do/lib/apperr"
	"toaster.do/lib/auth"
	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

// rights looks for what is not the owner's beside the database, and for what others could read there.
func rights(cfg *config.Config) finding {
	const what = "permissions of the database"
	folder := filepath.Dir(cfg.Paths.Database)
	files, _ := filepath.Glob(cfg.Paths.Database + "*")
	me := userName(os.Geteuid())
	var foreign, locked, open []string
	var whose string // the last of foreign
	for _, path := range append([]string{folder}, files...) {
		fi, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			f, _ := reach(path)
			return finding{What: what, Problem: err.Error(), Advice: f.Advice}
		}
		if owner(fi) != os.Geteuid() {
			foreign = append(foreign, path)
			whose = userName(owner(fi))
		}
		// SQLite gives the files beside the database the rights that it had when they were made.
		if fi.Mode().Perm()&0o200 == 0 {
			locked = append(locked, path)
		}
		if fi.Mode().Perm()&0o007 != 0 {
			open = append(open, path)
		}
	}
	switch {
	case foreign != nil:
		return finding{What: what, Problem: fmt.Sprintf("%s belongs to %s.", foreign[len(foreign)-1], whose), Advice: command("chown", shellWord(me)+":", foreign)}
	case locked != nil:
		return finding{What: what, Problem: locked[0] + " can't be written by its owner.", Advice: command("chmod", "u+w", locked)}
	case open != nil:
		return finding{What: what, Problem: open[0] + " is readable by everybody.", Advice: command("chmod", "o=", open)}
	}
	return fine(what, "")
}

// command is one for root to type.
func command(name, how string, paths []string) string {
	words := []string{name, how}
	for _, path := range paths {
		words = append(words, shellWord(path))
	}
	return strings.Join(words, " ")
}

func keysFinding(ctx context.Context, cfg *config.Config) finding {
	const what = "keys"
	if _, err := cfg.KeyPairs(); err != nil {
		f, _ := reach(cfg.Paths.Keys)
		f.What, f.Problem = what, errors.Unwrap(apperr.Of(err)).Error()
		word := shellWord(cfg.Paths.Keys)
		switch fi, _ := os.Stat(cfg.Paths.Keys); {
		case f.Advice != "":
		case errors.Is(err, fs.ErrNotExist):
			f.Advice = "Restore the keys from a backup, or create new ones: toasterctl init"
		case fi.Mode().Perm()&0o007 != 0:
			f.Advice = "chmod 0640 " + word
		default:
			f.Advice = fmt.Sprintf("Restore the keys from a backup, or create new ones: mv %s %[1]s.bad && toasterctl init", word)
		}
		return f
	}
	db, err := store.Open(ctx, cfg.Paths.Database)
	if err != nil {
		return fine(what, "") // the database has a line of its own
	}
	defer db.Close()
	n, err := auth.New(cfg, db).Sealing(ctx)
	switch {
	case err != nil:
		return fine(what, "") // the same
	case n.Lost > 0:
		return finding{What: what, Problem: count(n.Lost, "two-factor secret") + " can't be decrypted with them.",
			Advice: "Restore the correct keys from a backup, or run: toasterctl user factor --off EMAIL"}
	case n.Stale > 0:
		return finding{What: what, Problem: count(n.Stale, "two-factor secret") + " not encrypted with the newest key.", Advice: "toasterctl migrate"}
	}
	return fine(what, "")
}

// reach says what keeps the owner of the database from reading a file that is there; ok: nothing does.
func reach(path string) (f finding, ok bool) {
	file, err := os.Open(path)
	if err == nil {
		file.Close()
	}
	if !errors.Is(err, fs.ErrPermission) {
		return f, true
	}
	who := shellWord(userName(os.Geteuid()))
	f = finding{What: "files readable by " + who, Problem: err.Error(),
		Advice: fmt.Sprintf("chgrp $(id -g %s) %s && chmod g+r,o= %[2]s", who, shellWord(path))}
	// A folder that can't be entered hides what is in it: the topmost one comes first.
	for dir := filepath.Dir(path); dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir + "/."); errors.Is(err, fs.ErrPermission) {
			f.Advice = "chmod a+x " + shellWord(dir)
		}
	}
	return f, false
}
