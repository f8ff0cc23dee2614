package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

func (s *setup) say(what string, args ...any) error {
	s.made++
	_, err := fmt.Fprintf(s.out, "made "+what+"\n", args...)
	return err
}

// folder makes a folder, and the folders above it. The one above may be another user's, who could put a link in its
// place.
func (s *setup) folder(path string, mode fs.FileMode, a identity) error {
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
	if err == nil && owner(fi) != os.Geteuid() {
		err = apperr.New(apperr.AlreadyExists, "%s was just created by another program.",
			"Check the existing files, then run this again.", path)
	}
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil && a != self() {
		err = f.Chown(a.uid, a.gid)
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
func (s *setup) keys(path string, a identity) error {
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	if err := s.folder(filepath.Dir(path), 0o755, self()); err != nil {
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
	if err == nil && fi.Sys().(*syscall.Stat_t).Nlink == 1 && a.gid != os.Getegid() {
		err = f.Chown(-1, a.gid)
	}
	if err != nil {
		return err
	}
	return s.say("%s, readable by its owner and group only", path)
}

// database makes the database as its owner. This process stays that user: nothing is left to do as root.
func (s *setup) database(path string, a identity) error {
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
