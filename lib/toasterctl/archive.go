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
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"toaster.do/lib/fault"
	"toaster.do/lib/local"
)

// A backup is a tar archive: this file first, then the configuration, the keys, the database, perhaps what the local
// engine has built, and the checksums of all of them last, as sha256sum writes them.
const (
	manifestName = "backup.json"
	databaseName = "toaster.db"
	buildsName   = "builds/"
	sumsName     = "SHA256SUMS"
)

// configNames are the small files of a backup, in their order.
var configNames = []string{"toaster.toml", "targets.toml", "keys"}

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
	return a.entry(name, a.made, int64(len(text)), bytes.NewReader(text))
}

// file packs as much of an open file as it is long now: a log may be growing.
func (a *archiver) file(name string, f fs.File) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	return a.entry(name, fi.ModTime(), fi.Size(), f)
}

func (a *archiver) entry(name string, changed time.Time, size int64, r io.Reader) error {
	h := &tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: changed, Typeflag: tar.TypeReg, Format: tar.FormatPAX}
	if err := a.WriteHeader(h); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(a, sum), r, size); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	fmt.Fprintf(&a.sums, "%x  %s\n", sum.Sum(nil), name)
	return nil
}

func (a *archiver) end() error {
	return errors.Join(a.text(sumsName, a.sums.Bytes()), a.Close())
}

// backup is a backup that is read. Nothing in it is trusted: it may come from anywhere.
type backup struct {
	path string
	*manifest
	config       map[string][]byte // by their names
	takeDatabase func(io.Reader) error
	takeBuild    func(name string, changed time.Time, r io.Reader) error
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
	b.manifest, b.config = nil, map[string][]byte{}
	var sums bytes.Buffer
	for archive := tar.NewReader(r); ; {
		h, err := archive.Next()
		if err != nil {
			return b.damaged(err)
		}
		if h.Name == sumsName {
			want, err := io.ReadAll(io.LimitReader(archive, 64<<20))
			if err == nil && (!bytes.Equal(want, sums.Bytes()) || len(b.config) != len(configNames)) {
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
	switch {
	case h.Typeflag != tar.TypeReg || b.manifest == nil && h.Name != manifestName:
		return b.damaged(errors.New(h.Name + " does not belong here"))
	case h.Name == manifestName:
		return b.takeManifest(r)
	case h.Name == databaseName && b.takeDatabase != nil:
		return b.either(b.takeDatabase(r), r)
	case isBuild && (!fs.ValidPath(below) || below == "." || path.Base(below)[0] == '@'):
		return b.damaged(errors.New("a build's file has a strange name"))
	case isBuild && b.takeBuild != nil:
		return b.either(b.takeBuild(below, h.ModTime, r), r)
	}
	for _, name := range configNames {
		if h.Name == name {
			text, err := io.ReadAll(io.LimitReader(r, 1<<20))
			b.config[name] = text
			return b.either(err, r)
		}
	}
	return b.either(nil, r)
}

func (b *backup) takeManifest(r io.Reader) error {
	b.manifest = &manifest{}
	if err := json.NewDecoder(io.LimitReader(r, 1<<16)).Decode(b.manifest); err != nil {
		return b.damaged(err)
	}
	if b.Format != 1 {
		return fault.New(fault.Conflict, b.path+" was made by a newer toaster.", "Install the newer version.")
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
	return fault.Wrap(fault.Invalid, err, b.path+" is no whole backup of toaster.", "Nothing was changed. Take another file.")
}

// unpacked returns the tar archive that a file is, whether it is compressed or not.
func unpacked(f io.Reader) (io.Reader, error) {
	r := bufio.NewReaderSize(f, 1<<16)
	if magic, err := r.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return r, err
	}
	return gzip.NewReader(r)
}
