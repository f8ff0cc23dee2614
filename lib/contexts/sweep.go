package contexts

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"toaster.do/lib/buildcontext"
)

// IsKept tells whether a path below the folder of contexts is of something that a backup needs: a blob, or the manifest
// of a context that is complete.
func IsKept(path string) bool {
	parts := strings.Split(path, "/")
	last := parts[len(parts)-1]
	owner, err := strconv.ParseInt(parts[0], 10, 64)
	return err == nil && parts[0] == strconv.FormatInt(owner, 10) && owner > 0 && buildcontext.IsSHA256(last) &&
		(len(parts) == 3 && parts[1] == "manifests" || len(parts) == 4 && parts[1] == "blobs" && parts[2] == last[:2])
}

// Hold keeps all build contexts that there are now from being swept until release is called.
func (s *Store) Hold() (release func(), err error) {
	var held []*os.File
	release = func() {
		for _, f := range held {
			f.Close()
		}
	}
	list, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return release, nil
	}
	for i := 0; err == nil && i < len(list); i++ {
		var f *os.File
		f, err = os.Open(filepath.Join(s.Dir, list[i].Name()))
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
			continue
		}
		if err == nil {
			held = append(held, f)
			err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH)
		}
	}
	if err != nil {
		release()
	}
	return release, err
}

// Sweep deletes what nobody needs any more: of the users that are there, what is not among the digests that their jobs
// name, or was used in the last day; of others, all.
func (s *Store) Sweep(ctx context.Context, needed map[int64]map[string]bool, now time.Time) error {
	list, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var errs []error
	for i := 0; err == nil && i < len(list) && ctx.Err() == nil; i++ {
		owner, err := strconv.ParseInt(list[i].Name(), 10, 64)
		if err != nil {
			continue // not ours
		}
		digests, isUser := needed[owner]
		if !isUser {
			errs = append(errs, s.remove(owner))
			continue
		}
		errs = append(errs, s.sweep(ctx, owner, digests, now.Add(-life)))
	}
	return errors.Join(append(errs, err)...)
}

// remove deletes the folder of a user who is gone, unless a backup reads it.
func (s *Store) remove(owner int64) error {
	f, err := os.Open(s.folder(owner))
	if err != nil {
		return err
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return nil // the next one does it
	}
	return os.RemoveAll(s.folder(owner))
}

// sweep deletes what an owner does not need, and was used before a time. An upload that goes on keeps all.
func (s *Store) sweep(ctx context.Context, owner int64, needed map[string]bool, before time.Time) error {
	u := &user{Store: s, dir: s.folder(owner)}
	f, err := os.Open(u.dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil // the next one does it
	}
	old, err := u.old(needed, before)
	if err != nil || len(old) == 0 && !u.hasOld(before) {
		return err
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	named, err := u.named()
	if err != nil {
		return err
	}
	return u.eachBlob(func(sum string, fi fs.FileInfo) error {
		if named[sum] || fi.ModTime().After(before) || ctx.Err() != nil {
			return ctx.Err()
		}
		return os.Remove(u.path("blobs", filepath.Join(sum[:min(2, len(sum))], sum)))
	})
}

// old lists manifests that nothing needs, and what was begun and not completed.
func (u *user) old(needed map[string]bool, before time.Time) (paths []string, err error) {
	for _, folder := range []string{"manifests", "pending", "tmp", "parts"} {
		list, err := os.ReadDir(u.path(folder, ""))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, one := range list {
			fi, err := one.Info()
			if err != nil {
				return nil, err
			}
			if fi.ModTime().Before(before) && !(folder == "manifests" && needed[one.Name()]) {
				paths = append(paths, u.path(folder, one.Name()))
			}
		}
	}
	return paths, nil
}

// sweptFile in an owner's folder says when its blobs were looked through last: that costs a look at each.
const sweptFile = "swept"

// hasOld tells whether blobs may be old that no manifest has led to: once a day.
func (u *user) hasOld(before time.Time) bool {
	path := filepath.Join(u.dir, sweptFile)
	if fi, err := os.Stat(path); err == nil && fi.ModTime().After(before) {
		return false
	}
	return os.WriteFile(path, nil, 0o640) == nil && os.Chtimes(path, time.Time{}, before.Add(life)) == nil
}

// named are the blobs that an owner's manifests name.
func (u *user) named() (map[string]bool, error) {
	all := map[string]bool{}
	for _, folder := range []string{"manifests", "pending"} {
		list, err := os.ReadDir(u.path(folder, ""))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, one := range list {
			m, err := readManifest(u.path(folder, one.Name()), one.Name())
			if err != nil {
				return nil, err // who knows what it needs
			}
			for i := range m.Entries {
				if sum := m.Entries[i].SHA256; buildcontext.IsSHA256(sum) {
					all[sum] = true
				}
			}
		}
	}
	return all, nil
}
