package contexts

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"toaster.do/lib/apperr"
	"toaster.do/lib/buildcontext"
)

// A writer stores blobs. What was put is there after flush, or not at all.
type writer struct {
	*user
	admitted bool // by Declare: the quota is not looked at again
	waiting  []written
	bytes    int64
}

type written struct {
	file   *os.File
	sha256 string
}

// So much is written before it is flushed: it costs a loss of power, not more memory.
const (
	flushFiles = 128
	flushBytes = 64 << 20
)

// Put stores a file: see buildcontext.Sink. Its reader ends what is too large.
func (w *writer) Put(r io.Reader, _ int64) (sum string, n int64, err error) {
	return w.put(r, math.MaxInt64-1, "")
}

// put stores a file of at most most bytes, and returns what it was; where another was wanted, it is not stored.
func (w *writer) put(r io.Reader, most int64, wanted string) (sum string, n int64, err error) {
	f, err := os.CreateTemp(w.path("tmp", ""), "blob-*")
	if err != nil {
		return "", 0, full(err)
	}
	h := sha256.New()
	n, err = io.Copy(io.MultiWriter(h, f), io.LimitReader(r, most+1))
	if sum = hex.EncodeToString(h.Sum(nil)); err == nil && (n > most || wanted != "" && sum != wanted) {
		err = notSo(wanted)
	}
	if err == nil {
		err = f.Chmod(0o644) // the folder above keeps others out; a build, which is given it, reads it with other ids
	}
	if err != nil {
		f.Close()
		os.Remove(f.Name())
		return "", 0, full(err)
	}
	// The disk begins now with what flush waits for.
	_ = unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
	w.waiting, w.bytes = append(w.waiting, written{f, sum}), w.bytes+n
	if len(w.waiting) >= flushFiles || w.bytes >= flushBytes {
		err = w.flush()
	}
	return sum, n, err
}

// flush gives all that was written its name.
func (w *writer) flush() error {
	if len(w.waiting) == 0 {
		return nil
	}
	errs := []error{w.disk(0)}
	if !w.admitted {
		errs = append(errs, w.room(w.bytes))
	}
	const wait = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
	for _, one := range w.waiting {
		errs = append(errs, unix.SyncFileRange(int(one.file.Fd()), 0, 0, wait))
	}
	failed := errors.Join(errs...)
	for _, one := range w.waiting {
		err := failed
		if err == nil {
			err = w.name(one)
		}
		one.file.Close()
		if err != nil {
			os.Remove(one.file.Name())
		}
		errs = append(errs, err)
	}
	w.waiting, w.bytes = nil, 0
	// One for all: the bytes are on the disk, and a file system with a journal writes all the rest of them with this.
	return full(errors.Join(append(errs, w.user.flush("tmp"))...))
}

func (w *writer) name(one written) error {
	to := w.blob(one.sha256)
	err := os.Rename(one.file.Name(), to)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
			return err
		}
		err = os.Rename(one.file.Name(), to)
	}
	return err
}

// discard forgets what was not flushed.
func (w *writer) discard() {
	for _, one := range w.waiting {
		one.file.Close()
		os.Remove(one.file.Name())
	}
	w.waiting = nil
}

// AddArchive stores what an archive of size bytes has as a context of an owner, and returns its digest.
func (s *Store) AddArchive(owner int64, archive io.ReaderAt, size int64) (digest string, err error) {
	u, err := s.open(owner)
	if err != nil {
		return "", err
	}
	defer u.close()
	if err := u.room(size); err != nil {
		return "", err
	}
	w := &writer{user: u}
	defer w.discard()
	m, err := buildcontext.ReadArchive(archive, size, buildcontext.ArchiveLimits{Compressed: s.Limits.Bytes,
		Unpacked: s.Limits.Bytes, Entries: s.Limits.Entries}, w)
	if err == nil {
		err = w.flush()
	}
	if err == nil {
		err = u.room(0)
	}
	if err != nil {
		return "", err
	}
	return u.put(m, true)
}

// Add stores a context of an owner whose files are at hand, and returns its digest.
func (s *Store) Add(owner int64, m *buildcontext.Manifest, files buildcontext.Source) (digest string, err error) {
	digest, missing, err := s.Declare(owner, m)
	if err != nil || len(missing) == 0 {
		return digest, err
	}
	u, err := s.open(owner)
	if err != nil {
		return "", err
	}
	defer u.close()
	w := &writer{user: u, admitted: true}
	defer w.discard()
	for _, sum := range missing {
		f, err := files.Open(sum)
		if err != nil {
			return "", err
		}
		_, _, err = w.put(f, math.MaxInt64-1, sum)
		f.Close()
		if err != nil {
			return "", err
		}
	}
	if err := w.flush(); err != nil {
		return "", err
	}
	return digest, s.Complete(owner, digest)
}

// wanted returns how many bytes a blob has that one of an owner's manifests waits for; ok is false where none does.
func (u *user) wanted(sum string) (size int64, ok bool, err error) {
	list, err := os.ReadDir(u.path("pending", ""))
	for i := 0; err == nil && i < len(list); i++ {
		var text []byte
		text, err = os.ReadFile(u.path("pending", list[i].Name()))
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
			continue
		}
		if size, ok = sizeOf(text, sum); ok {
			now := time.Now()
			_ = os.Chtimes(u.path("pending", list[i].Name()), now, now) // it is in use, unless it was completed just now
			return size, true, nil
		}
	}
	return 0, false, err
}

// sizeOf finds a file in an encoded manifest by its SHA-256.
func sizeOf(manifest []byte, sum string) (size int64, ok bool) {
	for word := []byte(" " + sum); ; {
		at := bytes.Index(manifest, word)
		if at < 0 {
			return 0, false
		}
		begin := bytes.LastIndexByte(manifest[:at], '\n') + 1
		end := at + len(word)
		if next := bytes.IndexByte(manifest[end:], '\n'); next >= 0 {
			end += next
		}
		line := strings.Fields(string(manifest[begin:end]))
		if len(line) > 5 && line[0] == "file" && line[5] == sum { // else a path, or a link's target
			size, err := strconv.ParseInt(line[4], 10, 64)
			return size, err == nil
		}
		manifest = manifest[end:]
	}
}

// Put stores a blob that one of an owner's manifests waits for: the whole of it, or, from an offset on, what follows
// what came before. total is how many bytes it has in all. It reports whether all of it is there now, and where not,
// how many bytes are. One that is there already is no error.
func (s *Store) Put(owner int64, sum string, r io.Reader, offset, total int64) (whole bool, have int64, err error) {
	u, err := s.open(owner)
	if err != nil {
		return false, 0, err
	}
	defer u.close()
	size, ok, err := u.wanted(sum)
	if err != nil {
		return false, 0, err
	}
	if fi, err := os.Lstat(u.blob(sum)); err == nil && (!ok || fi.Size() == size) {
		return true, fi.Size(), nil
	}
	if !ok {
		return false, 0, unwanted()
	}
	if total >= 0 && total != size {
		return false, 0, notSo(sum)
	}
	if err := s.disk(size - offset); err != nil {
		return false, 0, err
	}
	if offset > 0 || total >= 0 {
		return u.part(sum, r, offset, size)
	}
	w := &writer{user: u, admitted: true}
	defer w.discard()
	_, n, err := w.put(r, size, sum)
	if err != nil {
		return false, 0, err
	}
	return true, n, w.flush()
}

func unwanted() error {
	return apperr.New(apperr.FailedPrecondition, "No build context of yours waits for this file.",
		"Send the manifest first, with POST /jobs/contexts. The answer lists the files that are missing.").
		Coded("blob_not_missing")
}

func notSo(sum string) error {
	return apperr.New(apperr.InvalidArgument, "The bytes that were sent do not have the SHA-256 %s.",
		"The file may have changed meanwhile. Read it again, and send the manifest.", sum).Coded("blob_digest")
}

// part adds to the beginning of a blob. Its offset is where that ends: else the answer is how far it is.
func (u *user) part(sum string, r io.Reader, offset, size int64) (whole bool, have int64, err error) {
	f, err := os.OpenFile(u.path("parts", sum), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return false, 0, full(err)
	}
	defer f.Close()
	// One at a time: another one goes on from what this one leaves.
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return false, 0, apperr.Wrap(apperr.FailedPrecondition, err, "This file is being uploaded by another request.",
			"Try again when that has ended.").Coded("blob_busy").In(time.Second)
	}
	have, err = f.Seek(0, io.SeekEnd)
	if err != nil || have != offset {
		return false, have, err
	}
	n, err := io.Copy(f, io.LimitReader(r, size-have+1))
	if have += n; err != nil {
		return false, have, full(err)
	}
	if have < size {
		return false, have, nil
	}
	h := sha256.New()
	if have == size {
		if err := rehash(h, f); err != nil {
			return false, have, err
		}
	}
	if have > size || hex.EncodeToString(h.Sum(nil)) != sum {
		os.Remove(f.Name())
		return false, 0, notSo(sum)
	}
	w := &writer{user: u, admitted: true, waiting: []written{{f, sum}}}
	return true, have, w.flush()
}

func rehash(h hash.Hash, f *os.File) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.Copy(h, f)
	return err
}

// PutMany stores blobs out of a tar archive whose entries are named by their SHA-256, and returns how many. What came
// whole stays, also where the archive ends in its middle.
func (s *Store) PutMany(owner int64, r io.Reader) (n int, err error) {
	u, err := s.open(owner)
	if err != nil {
		return 0, err
	}
	defer u.close()
	w := &writer{user: u, admitted: true}
	defer w.discard()
	wanted, err := u.allWanted()
	if err != nil {
		return 0, err
	}
	for t := tar.NewReader(r); ; n++ {
		h, err := t.Next()
		if err == nil {
			size, ok := wanted[h.Name]
			if !ok {
				err = unwanted()
			} else if size != h.Size {
				err = notSo(h.Name)
			}
		}
		if err == nil && n%flushFiles == 0 {
			err = s.disk(h.Size)
		}
		if err != nil {
			flushed := w.flush()
			if err == io.EOF {
				return n, flushed
			}
			return n, errors.Join(damaged(err), flushed)
		}
		if _, _, err := w.put(t, h.Size, h.Name); err != nil {
			return n, errors.Join(damaged(err), w.flush())
		}
	}
}

// damaged says so of an archive that can't be read.
func damaged(err error) error {
	if e := (*apperr.Error)(nil); errors.As(err, &e) {
		return err
	}
	return apperr.Wrap(apperr.InvalidArgument, err, "The upload ended before it was complete.",
		"Send the manifest again: the answer lists the files that are still missing.").Coded("upload_incomplete")
}

// allWanted is what an owner's manifests wait for: bytes by SHA-256.
func (u *user) allWanted() (map[string]int64, error) {
	list, err := os.ReadDir(u.path("pending", ""))
	all := map[string]int64{}
	for i := 0; err == nil && i < len(list); i++ {
		var m *buildcontext.Manifest
		m, err = readManifest(u.path("pending", list[i].Name()), list[i].Name())
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
			continue
		}
		for j := 0; err == nil && j < len(m.Entries); j++ {
			if e := &m.Entries[j]; e.SHA256 != "" {
				all[e.SHA256] = e.Size
			}
		}
	}
	return all, err
}
