package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"toaster.do/lib/apperr"
	"toaster.do/lib/auth"
	"toaster.do/lib/doctor/check"
	"toaster.do/lib/host"
	"toaster.do/lib/shell"
	"toaster.do/lib/store"
)

// permissions looks for what is not the owner's beside the database, and for what others could read there.
func (s Site) permissions() check.Result {
	const what = "permissions of the database"
	folder := filepath.Dir(s.Paths.Database)
	files, _ := filepath.Glob(s.Paths.Database + "*")
	var foreign, locked, open []string
	var whose string // the last of foreign
	for _, path := range append([]string{folder}, files...) {
		fi, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			f, _ := readable(path)
			return check.Fail(what, err.Error(), f.Fix)
		}
		if host.Owner(fi) != os.Geteuid() {
			foreign = append(foreign, path)
			whose = host.UserName(host.Owner(fi))
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
		return check.Fail(what, fmt.Sprintf("%s belongs to %s.", foreign[len(foreign)-1], whose),
			command("chown", shell.Quote(me())+":", foreign...))
	case locked != nil:
		return check.Fail(what, locked[0]+" can't be written by its owner.", command("chmod", "u+w", locked...))
	case open != nil:
		return check.Fail(what, open[0]+" is readable by everybody.", command("chmod", "o=", open...))
	}
	return check.OK(what, "")
}

// keys looks whether the keys can be read, and decrypt what is encrypted with them.
func (s Site) keys(ctx context.Context) check.Result {
	const what = "keys"
	if _, err := s.KeyPairs(); err != nil {
		return check.Fail(what, errors.Unwrap(apperr.Of(err)).Error(), s.keysFix(err))
	}
	db, err := store.Open(ctx, s.Paths.Database)
	if err != nil {
		return check.OK(what, "") // the database has a line of its own
	}
	defer db.Close()
	n, err := auth.New(s.Config, db).Sealing(ctx)
	switch {
	case err != nil:
		return check.OK(what, "") // the same
	case n.Lost > 0:
		return check.Fail(what, count(n.Lost, "two-factor secret")+" can't be decrypted with them.",
			"Restore the correct keys from a backup, or run: toasterctl user factor --off EMAIL")
	case n.Stale > 0:
		return check.Fail(what, count(n.Stale, "two-factor secret")+" not encrypted with the newest key.",
			"toasterctl migrate")
	}
	return check.OK(what, "")
}

func (s Site) keysFix(err error) string {
	if f, ok := readable(s.Paths.Keys); !ok {
		return f.Fix
	}
	word := shell.Quote(s.Paths.Keys)
	switch fi, _ := os.Stat(s.Paths.Keys); {
	case errors.Is(err, fs.ErrNotExist):
		return "Restore the keys from a backup, or create new ones: toasterctl init"
	case fi.Mode().Perm()&0o007 != 0:
		return "chmod 0640 " + word
	}
	return fmt.Sprintf("Restore the keys from a backup, or create new ones: mv %s %[1]s.bad && toasterctl init", word)
}

// readable says what keeps the owner of the database from reading a file that is there; ok: nothing does.
func readable(path string) (f check.Result, ok bool) {
	file, err := os.Open(path)
	if err == nil {
		file.Close()
	}
	if !errors.Is(err, fs.ErrPermission) {
		return f, true
	}
	who := shell.Quote(me())
	f = check.Fail("files readable by "+who, err.Error(),
		fmt.Sprintf("chgrp $(id -g %s) %s && chmod g+r,o= %[2]s", who, shell.Quote(path)))
	// A folder that can't be entered hides what is in it: the topmost one comes first.
	for dir := filepath.Dir(path); dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir + "/."); errors.Is(err, fs.ErrPermission) {
			f.Fix = "chmod a+x " + shell.Quote(dir)
		}
	}
	return f, false
}
