package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"toaster.do/lib/config"
	"toaster.do/lib/fault"
	"toaster.do/lib/store"
)

// identity is a user of this host.
type identity struct{ uid, gid int }

func self() identity { return identity{os.Geteuid(), os.Getegid()} }

// owner returns who the site's data belong to: who --owner names, or has them already, or else the web
// server's user, and in a folder of one's own oneself.
func (c *initCommand) owner(data string) (identity, error) {
	fi, err := os.Stat(data)
	switch {
	case c.Owner == "" && err == nil:
		st := fi.Sys().(*syscall.Stat_t)
		return identity{int(st.Uid), int(st.Gid)}, nil
	case c.Owner == "" && (c.Dir != "" || os.Geteuid() != 0):
		return self(), nil
	}
	a, lookup := lookUp(cmp.Or(c.Owner, "www-data"))
	if lookup != nil && c.Owner == "" {
		return a, fault.New(fault.Invalid, "There is no user www-data on this host.", "Say who the web server runs as: toasterctl init --owner USER")
	}
	if lookup != nil {
		return a, lookup
	}
	if err == nil && owner(fi) != a.uid {
		return a, fault.New(fault.Conflict, fmt.Sprintf("%s belongs to %s already.", data, userName(owner(fi))),
			fmt.Sprintf("Run it without --owner, or give the folder away first: chown -R %s: %s", shellWord(c.Owner), shellWord(data)))
	}
	return a, nil
}

func lookUp(name string) (a identity, err error) {
	u, err := user.Lookup(name)
	if err != nil {
		return a, err
	}
	if a.uid, err = strconv.Atoi(u.Uid); err != nil {
		return a, err
	}
	a.gid, err = strconv.Atoi(u.Gid)
	return a, err
}

func (s *setup) say(what string, args ...any) error {
	s.made++
	_, err := fmt.Fprintf(s.out, "made "+what+"\n", args...)
	return err
}

// folder makes a folder, and the folders above it.
func (s *setup) folder(path string, mode fs.FileMode, a identity) error {
	if fi, err := os.Stat(path); err == nil {
		if !fi.IsDir() {
			return fault.New(fault.Conflict, path+" is not a folder.", "Move it away, then run this again.")
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(path, mode); err != nil {
		return err
	}
	if err := os.Chmod(path, mode); err != nil {
		return err
	}
	if err := give(path, a); err != nil {
		return err
	}
	return s.say("%s", path)
}

// give changes a file's owner, where it is another.
func give(path string, a identity) error {
	if a == self() {
		return nil
	}
	return os.Lchown(path, a.uid, a.gid)
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

// keys makes the keys of cookies: the web server's group may read them, nobody but their maker may change them.
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
	if err := give(path, identity{os.Geteuid(), a.gid}); err != nil {
		return err
	}
	return s.say("%s, readable by its owner and group alone", path)
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

// become makes root another user for good.
func become(a identity) error {
	if os.Geteuid() != 0 || a.uid == 0 {
		return nil
	}
	if err := syscall.Setgroups([]int{a.gid}); err != nil {
		return err
	}
	if err := syscall.Setgid(a.gid); err != nil {
		return err
	}
	return syscall.Setuid(a.uid)
}
