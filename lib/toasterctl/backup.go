package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/klauspost/compress/gzip"

	"toaster.do/lib/app"
	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/contexts"
	"toaster.do/lib/engine/local"
	"toaster.do/lib/store"
	"toaster.do/lib/view"
)

type backupCommand struct {
	Artifacts bool   `help:"Include the logs and artifacts of the local engine. They may be large."`
	File      string `arg:"" help:"The file to create, such as toaster.tar.gz. Without .gz it is not compressed. “-” writes to standard output, compressed."`
}

func (backupCommand) Help() string {
	return "Saves the configuration, all files that it refers to, the build contexts, and a consistent copy of the database in " +
		"one file. " +
		"The site can keep running. " +
		"Files larger than 64 MiB are skipped, with a message. " +
		"The file has mode 0600: anyone who can read it can forge sessions. An existing file is replaced when the new one " +
		"is complete. " +
		"To restore it, use “toasterctl restore”. In the crontab of root:\n\n" +
		"    5 3 * * * root toasterctl backup /var/backups/toaster-$(date +\\%u).tar.gz"
}

func (c *backupCommand) Run(w *world) error {
	defer w.untilSignal()()
	cfg, err := w.load()
	if err != nil {
		return err
	}
	if err := actAsOwner(cfg.Paths.Database); err != nil {
		return err
	}
	if c.File == "-" {
		return c.write(w, cfg, w.out)
	}
	size, err := replaceFile(c.File, func(f io.Writer) error { return c.write(w, cfg, f) })
	if err == nil {
		_, err = fmt.Fprintf(w.out, "%s: %s\n", c.File, view.Bytes("en", size))
	}
	return err
}

// replaceFile makes a file, mode 0600, of who started this process: whole, or not at all.
func replaceFile(path string, write func(io.Writer) error) (size int64, err error) {
	var f *os.File
	err = local.AsRoot(func() (err error) {
		if f, err = os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*"); err != nil {
			return err
		}
		return f.Chown(os.Getuid(), os.Getgid())
	})
	if err != nil {
		return 0, err
	}
	defer local.AsRoot(func() error { return os.Remove(f.Name()) })
	err = write(f)
	if err == nil {
		size, err = f.Seek(0, io.SeekCurrent)
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return 0, err
	}
	return size, local.AsRoot(func() error { return os.Rename(f.Name(), path) })
}

func (c *backupCommand) write(w *world, cfg *config.Config, out io.Writer) error {
	if strings.HasSuffix(c.File, "z") || c.File == "-" {
		z := gzip.NewWriter(out)
		err := c.archive(w, cfg, z)
		return errors.Join(err, z.Close())
	}
	return c.archive(w, cfg, out)
}

func (c *backupCommand) archive(w *world, cfg *config.Config, out io.Writer) error {
	a := &archiver{Writer: tar.NewWriter(out), made: time.Now().UTC().Truncate(time.Second)}
	if err := a.manifest(manifest{Format: 1, Toaster: app.Version, Made: a.made, Artifacts: c.Artifacts}); err != nil {
		return err
	}
	release, err := app.Contexts(cfg).Hold()
	if err != nil {
		return err
	}
	defer release()
	// First of all, so that the keys, when they change meanwhile, still open what is sealed in it.
	database, remove, err := snapshot(w, cfg.Paths.Database)
	if err != nil {
		return err
	}
	defer remove()
	for _, file := range cfg.Named() {
		if file.Name == "" || *file.Path == "" {
			continue
		}
		size, err := a.small(file.Name, *file.Path, os.Geteuid())
		if err != nil {
			return err
		}
		if size > maxSmall {
			fmt.Fprintf(w.err, "%s is not in the backup: it has %s. Keep a separate copy.\n", *file.Path, view.Bytes("en", size))
		}
	}
	if err := a.file(databaseName, database); err != nil {
		return err
	}
	// As they were when the database was copied, at least. Names that begin with @ are the engine's own.
	if err := a.folder(w, contextsName, cfg.Paths.Contexts, contexts.IsKept); err != nil {
		return err
	}
	if c.Artifacts {
		all := func(path string) bool { return path[0] != '@' }
		if err := a.folder(w, buildsName, cfg.Paths.Builds, all); err != nil {
			return err
		}
	}
	return a.end()
}

// snapshot opens a copy of the database, which lies beside it until remove is called; among temporary files where that
// disk is full, which is when a backup may be wanted most.
func snapshot(w *world, database string) (copied *os.File, remove func(), err error) {
	for _, folder := range []string{filepath.Dir(database), os.TempDir()} {
		copied, remove, err = snapshotIn(w, folder, database)
		if apperr.KindOf(err) != apperr.StorageFull && !errors.Is(err, syscall.ENOSPC) {
			break
		}
	}
	return copied, remove, err
}

func snapshotIn(w *world, folder, database string) (copied *os.File, remove func(), err error) {
	dir, err := os.MkdirTemp(folder, ".toaster-backup-*")
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(dir, databaseName)
	if err = store.Snapshot(w.ctx, database, path); err == nil {
		copied, err = os.Open(path)
	}
	if err != nil {
		os.RemoveAll(dir)
		return nil, nil, err
	}
	return copied, func() { copied.Close(); os.RemoveAll(dir) }, nil
}

// folder packs the files below a folder that are wanted. What is removed meanwhile is left out.
func (a *archiver) folder(w *world, name, dir string, wanted func(path string) bool) error {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil || w.ctx.Err() != nil:
			return errors.Join(err, w.ctx.Err())
		case path[0] == '@' && d.IsDir():
			return fs.SkipDir
		case !d.Type().IsRegular() || !wanted(path):
			return nil
		}
		f, err := root.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer f.Close()
		return a.file(name+path, f)
	})
}
