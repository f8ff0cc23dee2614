package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/contexts"
	"toaster.do/lib/engine/local"
	"toaster.do/lib/host"
)

// A backup is a tar archive: this file first, then the configuration and its secrets, the database, perhaps what the
// local engine has built, and the checksums of all of them last, as sha256sum writes them.
const (
	manifestName = "backup.json"
	databaseName = "toaster.db"
	buildsName   = "builds/"
	contextsName = "contexts/"
	sumsName     = "SHA256SUMS"
)

// smallFiles are the names of the small files of any backup: all that a configuration can name.
var smallFiles = namesOf(config.Default().Named())

// essential are those that every backup has.
var essential = []string{"toaster.toml", "targets.toml", "keys"}

// maxSmall is the most that a small file may have, bytes.
const maxSmall = 64 << 20

func namesOf(files []config.Named) (names []string) {
	for _, f := range files {
		if f.Name != "" {
			names = append(names, f.Name)
		}
	}
	return names
}

// smallFile is a small file as it was. Whose it was is said by role: another host has other numbers.
type smallFile struct {
	text  []byte
	mode  fs.FileMode
	owner string // ofTheSite, or anything else for who set the site up
}

const ofTheSite = "site"

// manifest is what a backup says about itself.
type manifest struct {
	Format    int       `json:"format"` // 1
	Toaster   string    `json:"toaster"`
	Made      time.Time `json:"made"`
	Artifacts bool      `json:"artifacts"` // what the local engine has built is in it
}

// archiver writes a backup.
type archiver struct {
	*tar.Writer
	made time.Time
	sums bytes.Buffer
}

func (a *archiver) manifest(m manifest) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return a.text(manifestName, append(text, '\n'))
}

func (a *archiver) text(name string, text []byte) error {
	return a.entry(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(text)), ModTime: a.made}, bytes.NewReader(text))
}

// small packs a small file with its mode, and whether it belongs to the site's user. One that is none is left out.
func (a *archiver) small(name, path string, site int) (size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if fi.Size() > maxSmall {
		return fi.Size(), nil
	}
	h := &tar.Header{Name: name, Mode: int64(fi.Mode().Perm()), Size: fi.Size(), ModTime: fi.ModTime()}
	if host.Owner(fi) == site {
		h.Uname = ofTheSite
	}
	return h.Size, a.entry(h, f)
}

// file packs as much of an open file as it is long now: a log may be growing.
func (a *archiver) file(name string, f fs.File) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	return a.entry(&tar.Header{Name: name, Mode: 0o600, Size: fi.Size(), ModTime: fi.ModTime()}, f)
}

func (a *archiver) entry(h *tar.Header, r io.Reader) error {
	h.Typeflag, h.Format = tar.TypeReg, tar.FormatPAX
	if err := a.WriteHeader(h); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(a, sum), r, h.Size); err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	fmt.Fprintf(&a.sums, "%x  %s\n", sum.Sum(nil), h.Name)
	return nil
}

func (a *archiver) end() error {
	return errors.Join(a.text(sumsName, a.sums.Bytes()), a.Close())
}

// backup is a backup that is read. Nothing in it is trusted: it may come from anywhere.
type backup struct {
	path string
	*manifest
	config       map[string]smallFile // by their names
	takeDatabase func(io.Reader) error
	takeBuild    func(name string, changed time.Time, r io.Reader) error
	takeContext  func(name string, changed time.Time, r io.Reader) error
}

// read goes through the whole archive. Database and builds go to the functions, where they are set. It fails unless
// all is there and has the checksum that was written last.
func (b *backup) read() error {
	var f *os.File
	err := local.AsRoot(func() (err error) {
		f, err = os.Open(b.path)
		return err
	})
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := unpacked(f)
	if err != nil {
		return b.damaged(err)
	}
	b.manifest, b.config = nil, map[string]smallFile{}
	var sums bytes.Buffer
	for archive := tar.NewReader(r); ; {
		h, err := archive.Next()
		if err != nil {
			return b.damaged(err)
		}
		if h.Name == sumsName {
			want, err := io.ReadAll(io.LimitReader(archive, int64(sums.Len())+1))
			if err == nil && (!bytes.Equal(want, sums.Bytes()) || b.lacks()) {
				err = errors.New("the checksums differ")
			}
			return b.damaged(err)
		}
		sum := sha256.New()
		if err := b.take(h, io.TeeReader(archive, sum)); err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sum.Sum(nil), h.Name)
	}
}

// take reads one entry, wholly.
func (b *backup) take(h *tar.Header, r io.Reader) error {
	below, isBuild := strings.CutPrefix(h.Name, buildsName)
	context, isContext := strings.CutPrefix(h.Name, contextsName)
	switch {
	case h.Typeflag != tar.TypeReg || b.manifest == nil && h.Name != manifestName:
		return b.damaged(errors.New(h.Name + " is unexpected"))
	case h.Name == manifestName:
		return b.takeManifest(r)
	case h.Name == databaseName && b.takeDatabase != nil:
		return b.either(b.takeDatabase(r), r)
	case isBuild && (!fs.ValidPath(below) || below == "." || path.Base(below)[0] == '@'):
		return b.damaged(errors.New("a file of a build has an invalid name"))
	case isContext && !contexts.IsKept(context):
		return b.damaged(errors.New("a file of a build context has an invalid name"))
	case isContext && b.takeContext != nil:
		return b.either(b.takeContext(context, h.ModTime, r), r)
	case isBuild && b.takeBuild != nil:
		return b.either(b.takeBuild(below, h.ModTime, r), r)
	}
	if !slices.Contains(smallFiles, h.Name) {
		return b.either(nil, r)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxSmall+1))
	if len(text) > maxSmall {
		return b.damaged(errors.New(h.Name + " is too large"))
	}
	b.config[h.Name] = smallFile{text, fs.FileMode(h.Mode).Perm(), h.Uname}
	return b.either(err, r)
}

// lacks tells whether a file is missing that every backup has.
func (b *backup) lacks() bool {
	return slices.ContainsFunc(essential, func(name string) bool { _, ok := b.config[name]; return !ok })
}

func (b *backup) takeManifest(r io.Reader) error {
	b.manifest = &manifest{}
	if err := json.NewDecoder(io.LimitReader(r, 1<<16)).Decode(b.manifest); err != nil {
		return b.damaged(err)
	}
	if b.Format != 1 {
		return apperr.New(apperr.FailedPrecondition, "%s was made by a newer toaster.", "Install the newer version.",
			b.path)
	}
	return b.either(nil, r)
}

// either returns an error, or reads what is left of an entry.
func (b *backup) either(err error, r io.Reader) error {
	if err == nil {
		if _, err := io.Copy(io.Discard, r); err != nil {
			return b.damaged(err)
		}
	}
	return err
}

func (b *backup) damaged(err error) error {
	if err == nil {
		return nil
	}
	return apperr.Wrap(apperr.InvalidArgument, err, "%s is not a complete backup of toaster.",
		"Nothing was changed. Use another file.", b.path)
}

// unpacked returns the tar archive that a file is, whether it is compressed or not.
func unpacked(f io.Reader) (io.Reader, error) {
	r := bufio.NewReaderSize(f, 1<<16)
	if magic, err := r.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return r, err
	}
	return gzip.NewReader(r)
}
