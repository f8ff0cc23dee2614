package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"toaster.do/lib/apperr"
	"toaster.do/lib/buildcontext"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/printable"
)

// mostInside is how much of a context a command puts into a blend, bytes: zsh reads all of it at once.
const mostInside = 64 << 20

// contextFlag says where what a blend needs of its context goes.
type contextFlag struct {
	ContextOut string `placeholder:"FILE" help:"Write what is needed of the build context to this file, rather than into the output. It is used where it lies as context.tar beside the build script, or as $TOASTER_CONTEXT."`
}

// spool is a folder of files by their SHA-256: those of an archive.
type spool string

// Put implements buildcontext.Sink.
func (s spool) Put(r io.Reader, _ int64) (sum string, n int64, err error) {
	f, err := os.CreateTemp(string(s), "part-*")
	if err != nil {
		return "", 0, err
	}
	h := sha256.New()
	n, err = io.Copy(io.MultiWriter(f, h), r)
	sum = hex.EncodeToString(h.Sum(nil))
	return sum, n, errors.Join(err, f.Close(), os.Rename(f.Name(), filepath.Join(string(s), sum)))
}

// Open implements buildcontext.Source.
func (s spool) Open(sum string) (io.ReadCloser, error) { return os.Open(filepath.Join(string(s), sum)) }

// readContext reads the build context that the command line names; nil: none. Where it is an archive, close removes
// what was unpacked of it.
func (s *source) readContext(limits buildcontext.Limits) (*dockerfile.Context, error) {
	if s.Context == "" || s.context != nil {
		return s.context, nil
	}
	fi, err := os.Stat(s.Context)
	if err != nil {
		return nil, err
	}
	var m *buildcontext.Manifest
	if fi.IsDir() {
		var tree *buildcontext.Tree
		if tree, err = buildcontext.Folder(s.Context, s.name(), limits); err != nil {
			return nil, err
		}
		m, s.files = &tree.Manifest, tree
	} else if m, err = s.unpack(limits); err != nil {
		return nil, err
	}
	s.context = dockerfile.NewContext(m, s.files)
	return s.context, nil
}

func (s *source) unpack(limits buildcontext.Limits) (*buildcontext.Manifest, error) {
	f, err := os.Open(s.Context)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "toasterctl-context-")
	if err != nil {
		return nil, err
	}
	s.files = spool(dir)
	return buildcontext.ReadArchive(f, fi.Size(), buildcontext.ArchiveLimits{Compressed: limits.Bytes,
		Unpacked: limits.Bytes, Entries: limits.Entries}, spool(dir))
}

// close ends the use of what was read.
func (s *source) close() {
	if dir, ok := s.files.(spool); ok {
		os.RemoveAll(string(dir))
	}
}

// place decides how much of the context a blend may have inside.
func (f contextFlag) place(s *source) {
	if s.inside = mostInside; f.ContextOut != "" {
		s.inside = -1
	}
}

// write writes what a blend needs of its context beside it.
func (f contextFlag) write(w *world, s *source, c *dockerfile.Context, blend *dockerfile.Blend) error {
	switch {
	case f.ContextOut == "" && blend.External:
		return apperr.New(apperr.FailedPrecondition, "More than %d MiB of the build context are needed.",
			"Add --context-out context.tar.", mostInside>>20)
	case f.ContextOut == "":
		return nil
	case !blend.External:
		_, err := fmt.Fprintf(w.err, "%s was not written: nothing of the build context is needed\n",
			printable.Line(f.ContextOut))
		return err
	}
	out, err := os.Create(f.ContextOut)
	if err != nil {
		return err
	}
	err = errors.Join(buildcontext.WriteTar(out, c.Manifest(), s.files, blend.Files), out.Close())
	if err != nil {
		os.Remove(f.ContextOut)
	}
	return err
}
