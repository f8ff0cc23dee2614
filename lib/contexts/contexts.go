// Package contexts keeps the build contexts of a site's users in files: manifests, and the blobs that they name.
//
// Each user has a folder of their own, so that nobody can find out by a digest what others have:
//
//	USER/blobs/HH/HEX       a file of a context, by its SHA-256
//	USER/manifests/HEX      a context whose blobs are all there, by its digest, as package buildcontext encodes it
//	USER/pending/HEX        one that lacks some
//	USER/tmp/               what is being written
//	USER/parts/HEX          the beginning of a large blob
//
// Nothing is known of a context but what lies here: a manifest that no revision of a job names goes a day after it was
// used last, and then the blobs that no manifest names (see Sweep).
package contexts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/buildcontext"
)

// Store is the build contexts of a site.
type Store struct {
	Dir      string              // where they are
	Limits   buildcontext.Limits // of one context
	PerUser  int64               // the most that a user's contexts may take on the disk, bytes; 0: no limit
	FreeDisk int64               // bytes that the disk has to keep
}

const (
	life       = 24 * time.Hour // how long what no job needs is kept
	idle       = 10 * time.Minute
	maxPending = 64 // manifests of a user that wait for blobs

	maxManifest = 256 << 20 // bytes of one
)

// user is a user's folder.
type user struct {
	*Store
	dir  string
	lock *os.File
}

// open opens a user's folder, which is made where it is not there. As long as it is open, nothing in it is swept.
func (s *Store) open(owner int64) (*user, error) {
	u := &user{Store: s, dir: s.folder(owner)}
	for _, name := range []string{"blobs", "manifests", "pending", "tmp", "parts"} {
		if err := os.MkdirAll(filepath.Join(u.dir, name), 0o750); err != nil {
			return nil, full(err)
		}
	}
	f, err := os.Open(u.dir)
	if err == nil {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH)
	}
	if err != nil {
		return nil, err
	}
	u.lock = f
	return u, nil
}

func (u *user) close() { u.lock.Close() }

func (s *Store) folder(owner int64) string { return filepath.Join(s.Dir, strconv.FormatInt(owner, 10)) }

func (u *user) path(folder, name string) string { return filepath.Join(u.dir, folder, name) }

// Blob is where the file with a SHA-256 of an owner's contexts is, if it is there.
func (s *Store) Blob(owner int64, sha256 string) string {
	return filepath.Join(s.folder(owner), "blobs", sha256[:2], sha256)
}

func (u *user) blob(sha256 string) string { return filepath.Join(u.dir, "blobs", sha256[:2], sha256) }

// Files opens the files of an owner's contexts: see buildcontext.Source.
type Files struct {
	store *Store
	owner int64
}

// Files returns the files of an owner's contexts.
func (s *Store) Files(owner int64) Files { return Files{s, owner} }

// Open opens a file by its SHA-256.
func (f Files) Open(sha256 string) (io.ReadCloser, error) {
	if !buildcontext.IsSHA256(sha256) {
		return nil, fs.ErrNotExist
	}
	return os.Open(f.store.Blob(f.owner, sha256))
}

// Get returns an owner's context, whose blobs are all there, by its digest (64 hexadecimal digits). One that is not
// there is NotFound.
func (s *Store) Get(owner int64, digest string) (*buildcontext.Manifest, Files, error) {
	files := s.Files(owner)
	if !buildcontext.IsSHA256(digest) {
		return nil, files, gone(nil)
	}
	m, err := readManifest(filepath.Join(s.folder(owner), "manifests", digest), digest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, files, gone(err)
	}
	return m, files, err
}

// WriteTree writes an owner's context as a tar archive.
func (s *Store) WriteTree(w io.Writer, owner int64, digest string) error {
	m, files, err := s.Get(owner, digest)
	if err != nil {
		return err
	}
	return m.WriteTree(w, files)
}

func gone(err error) error {
	return apperr.Wrap(apperr.NotFound, err, "The build context is no longer available.", "Upload it again.").
		Coded("context_not_found")
}

// readManifest reads a manifest, which has to be the one of that digest.
func readManifest(path, digest string) (*buildcontext.Manifest, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxManifest))
	if err != nil {
		return nil, err
	}
	m, err := buildcontext.Decode(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if m.Digest() != digest {
		return nil, fmt.Errorf("%s is damaged: its digest is another", path)
	}
	return m, nil
}

// missing lists the blobs of a manifest that are not there, each once, and how many bytes they have together.
func (u *user) missing(m *buildcontext.Manifest) (list []string, size int64, err error) {
	last := ""
	for _, i := range m.ByDigest() {
		e := &m.Entries[i]
		if e.SHA256 == last {
			continue
		}
		last = e.SHA256
		fi, err := os.Lstat(u.blob(e.SHA256))
		if err == nil && fi.Size() == e.Size {
			continue
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, 0, err
		}
		list, size = append(list, e.SHA256), size+e.Size
	}
	return list, size, nil
}

// Declare takes the manifest of a context, which its sender need not have checked, and returns its digest and the blobs
// that are to be sent. It fails with InvalidArgument, with TooLarge, and with ResourceExhausted where the owner's
// contexts would take too much.
func (s *Store) Declare(owner int64, m *buildcontext.Manifest) (digest string, missing []string, err error) {
	if err := buildcontext.Check(m, s.Limits); err != nil {
		return "", nil, err
	}
	u, err := s.open(owner)
	if err != nil {
		return "", nil, err
	}
	defer u.close()
	missing, size, err := u.missing(m)
	if err != nil {
		return "", nil, err
	}
	if len(missing) > 0 {
		waiting, err := u.waiting(m)
		if err == nil {
			err = u.room(size + waiting)
		}
		if err != nil {
			return "", nil, err
		}
	}
	digest, err = u.put(m, len(missing) == 0)
	return digest, missing, err
}

// put writes a manifest.
func (u *user) put(m *buildcontext.Manifest, whole bool) (digest string, err error) {
	digest = m.Digest()
	to := u.path("manifests", digest)
	if !whole {
		to = u.path("pending", digest)
		if err := u.forget(digest); err != nil {
			return "", err
		}
	}
	f, err := os.CreateTemp(u.path("tmp", ""), "manifest-*")
	if err != nil {
		return "", full(err)
	}
	defer f.Close()
	err = m.Encode(f)
	if err = errors.Join(err, f.Chmod(0o640), f.Sync()); err == nil {
		err = os.Rename(f.Name(), to)
	}
	if err != nil {
		os.Remove(f.Name())
		return "", full(err)
	}
	if whole {
		os.Remove(u.path("pending", digest)) // of an earlier try
		return digest, u.flush("manifests")
	}
	return digest, nil
}

// flush has the names in a folder, and with them all that was made before, survive a loss of power.
func (u *user) flush(folder string) error {
	d, err := os.Open(u.path(folder, ""))
	if err != nil {
		return err
	}
	defer d.Close()
	return full(d.Sync())
}

// forget makes room for one more manifest that waits, of that digest: it removes those that nothing was sent for lately.
func (u *user) forget(digest string) error {
	list, err := os.ReadDir(u.path("pending", ""))
	if err != nil || len(list) < maxPending {
		return err
	}
	left := len(list)
	for _, f := range list {
		fi, err := f.Info()
		if f.Name() == digest || err == nil && time.Since(fi.ModTime()) > idle {
			os.Remove(u.path("pending", f.Name()))
			left--
		}
	}
	if left < maxPending {
		return nil
	}
	return apperr.New(apperr.ResourceExhausted, "You are uploading %d build contexts at the same time.",
		"Try again when some of these uploads have ended.", left).Coded("too_many_uploads").In(time.Minute)
}

// waiting is how many bytes are still to come for other manifests than m.
func (u *user) waiting(m *buildcontext.Manifest) (n int64, err error) {
	if u.PerUser == 0 {
		return 0, nil
	}
	wanted, err := u.allWanted()
	for i := range m.Entries {
		delete(wanted, m.Entries[i].SHA256)
	}
	for sum, size := range wanted {
		if _, err := os.Lstat(u.blob(sum)); err != nil {
			n += size
		}
	}
	return n, err
}

// Complete makes an owner's context one that jobs can be made of. Where blobs are missing, it is a FailedPrecondition
// with the code context_incomplete: Missing lists them.
func (s *Store) Complete(owner int64, digest string) error {
	if !buildcontext.IsSHA256(digest) {
		return apperr.New(apperr.InvalidArgument, "This is not the digest of a build context.",
			"Send sha256: and 64 hexadecimal digits, as POST /jobs/contexts answers.")
	}
	u, err := s.open(owner)
	if err != nil {
		return err
	}
	defer u.close()
	m, _, err := s.Get(owner, digest)
	waits := apperr.KindOf(err) == apperr.NotFound && err != nil
	if waits {
		if m, err = readManifest(u.path("pending", digest), digest); errors.Is(err, fs.ErrNotExist) {
			return gone(err)
		}
	}
	if err != nil {
		return err
	}
	missing, _, err := u.missing(m)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return apperr.New(apperr.FailedPrecondition, "%d files of the build context were not uploaded.",
			"Send the manifest again to see which, and upload them.", len(missing)).Coded("context_incomplete")
	}
	if waits { // another request may do the same at this moment: then the file is there, and Chtimes finds it
		err := os.Rename(u.path("pending", digest), u.path("manifests", digest))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	now := time.Now()
	if err := os.Chtimes(u.path("manifests", digest), now, now); err != nil {
		return err
	}
	return u.flush("manifests")
}

// full says so of an error of a disk that is full; any other error stays.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return apperr.Wrap(apperr.StorageFull, err, "The disk of the server is full. Nothing was saved.",
			"Try again later. If the problem persists, contact the administrator.")
	}
	return err
}

// room is an error where an owner can't have so many bytes more.
func (u *user) room(more int64) error {
	if err := u.disk(more); err != nil {
		return err
	}
	if u.PerUser == 0 {
		return nil
	}
	used, err := u.used()
	if err != nil || used+more <= u.PerUser {
		return err
	}
	return apperr.New(apperr.ResourceExhausted, "Your build contexts would take %s. Your limit is %s.",
		"Delete a job that you no longer need. Files that no job needs are deleted after a day.",
		size(used+more), size(u.PerUser)).Coded("context_quota")
}

// disk is an error where the disk has not so many bytes to give.
func (s *Store) disk(more int64) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(s.Dir, &fs); err != nil {
		return err
	}
	if int64(fs.Bavail)*fs.Bsize-more < s.FreeDisk {
		return full(syscall.ENOSPC)
	}
	return nil
}

// used is how many bytes an owner's files have: blobs, those that come in parts, and manifests.
func (u *user) used() (n int64, err error) {
	err = u.eachBlob(func(_ string, fi fs.FileInfo) error {
		n += fi.Size()
		return nil
	})
	for _, folder := range []string{"parts", "manifests", "pending"} {
		list, readErr := os.ReadDir(u.path(folder, ""))
		err = errors.Join(err, readErr)
		for _, one := range list {
			if fi, err := one.Info(); err == nil {
				n += fi.Size()
			}
		}
	}
	return n, err
}

// eachBlob calls f with the SHA-256 of each blob.
func (u *user) eachBlob(f func(sha256 string, fi fs.FileInfo) error) error {
	folders, err := os.ReadDir(u.path("blobs", ""))
	if errors.Is(err, fs.ErrNotExist) { // the folder is being made
		return nil
	}
	if err != nil {
		return err
	}
	for _, folder := range folders {
		list, err := os.ReadDir(u.path("blobs", folder.Name()))
		if err != nil {
			return err
		}
		for _, one := range list {
			fi, err := one.Info()
			if err != nil {
				return err
			}
			if err := f(one.Name(), fi); err != nil {
				return err
			}
		}
	}
	return nil
}

// size writes a number of bytes for people.
func size(n int64) string {
	if n < 1<<30 {
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
