package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/host"
	"toaster.do/lib/store"
)

func (s *setup) say(what string, args ...any) error {
	s.made++
	_, err := fmt.Fprintf(s.out, "made "+what+"\n", args...)
	return err
}

// folder makes a folder, and the folders above it. The one above may be another user's, who could put a link in its
// place.
func (s *setup) folder(path string, mode fs.FileMode, a host.Identity) error {
	if fi, err := os.Stat(path); err == nil {
		if !fi.IsDir() {
			return apperr.New(apperr.FailedPrecondition, "%s is not a folder.", "Rename it, then run this again.", path)
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(path, mode); err != nil {
		return err
	}
	f, err := os.OpenFile(path, syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err == nil && host.Owner(fi) != os.Geteuid() {
		err = apperr.New(apperr.AlreadyExists, "%s was just created by another program.",
			"Check the existing files, then run this again.", path)
	}
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil && a != host.Self() {
		err = f.Chown(a.UID, a.GID)
	}
	if err != nil {
		return err
	}
	return s.say("%s", path)
}

// file makes a file with a text, whole or not at all. One that is there stays as it is.
func (s *setup) file(path string, text []byte) error {
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".init-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err := errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	return s.say("%s", path)
}

// keys makes the site's keys: the web server's group may read them, nobody but their maker may change them.
func (s *setup) keys(path string, a host.Identity) error {
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	if err := s.folder(filepath.Dir(path), 0o755, host.Self()); err != nil {
		return err
	}
	if err := config.NewKeys(path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err == nil && fi.Sys().(*syscall.Stat_t).Nlink == 1 && a.GID != os.Getegid() {
		err = f.Chown(-1, a.GID)
	}
	if err != nil {
		return err
	}
	return s.say("%s, readable by its owner and group only", path)
}

// database makes the database as its owner. This process stays that user: nothing is left to do as root.
func (s *setup) database(path string, a host.Identity) error {
	if err := become(a); err != nil {
		return err
	}
	if err := asOwner(path); err != nil {
		return err
	}
	from, to, err := store.Migrate(s.ctx, path)
	if err != nil || from == to {
		return err
	}
	return s.say("%s, schema version %d", path, to)
}

// ids gives the builds of a site's slots ids of their own.
func (s *setup) ids(slots int) error {
	command := host.MissingIDs(slots)
	if command == nil {
		return nil
	}
	for _, path := range []string{host.SubUIDs, host.SubGIDs} { // usermod makes none
		if f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o644); err == nil {
			f.Close()
		}
	}
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		_, err = fmt.Fprintf(s.err,
			"User IDs for builds can't be assigned, and builds fail without them: %s%v\nAs root: %s\n",
			out, err, strings.Join(command, " "))
		return err
	}
	return s.say("%d user and group IDs for builds, in %s and %s", slots*host.IDsOfABuild, host.SubUIDs, host.SubGIDs)
}

// keeper returns who the logs and artifacts of a site belong to, whose database is the owner's: a user of their own,
// so that the web programs can read them and no more. It makes that user for an installed site.
func (s *setup) keeper(owner host.Identity, installed bool) (host.Identity, error) {
	if os.Getuid() != 0 || owner.UID == 0 {
		return owner, nil
	}
	a, err := host.LookUp(host.Keeper)
	if err != nil && installed {
		out, err := exec.Command("useradd", "--system", "--user-group", "--no-create-home",
			"--home-dir", "/nonexistent",
			"--shell", "/usr/sbin/nologin", "--comment", "builds of toaster", host.Keeper).CombinedOutput()
		if err != nil {
			return a, apperr.Wrap(apperr.Unavailable, fmt.Errorf("%w: %s", err, out),
				"The user %s can't be created: %s %v.",
				"Create it by hand as a system user without login, then run this again.", host.Keeper, bytes.TrimSpace(out), err)
		}
		if err := s.say("the user %s, who owns the builds", host.Keeper); err != nil {
			return a, err
		}
		if a, err = host.LookUp(host.Keeper); err != nil {
			return a, err
		}
	} else if err != nil {
		a.UID = 0
	}
	return host.Identity{UID: a.UID, GID: owner.GID}, nil
}
