package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
	"toaster.do/lib/printable"
	"toaster.do/lib/store"
)

// maxArtifacts is how many files a build may leave, with the folders that hold them and what is not kept.
const (
	maxArtifacts = 10000
	maxPath      = 1000    // bytes
	maxSums      = 8 << 20 // of SHA256SUMS
)

// collect takes what a script that succeeded has left in dist: regular files, checked against its SHA256SUMS, safely on
// the disk. They wait in the stage for publish.
func (r *buildRun) collect(ctx context.Context) ([]store.Artifact, *outcome) {
	c := collection{ctx: ctx, limit: r.ArtifactLimit, uid: os.Geteuid(), gid: os.Getegid(), note: r.logLine}
	there, err := r.takeDist(&c)
	if err == nil && there {
		if err = c.verify(); err == nil {
			err = r.stage(&c)
		}
		c.root.Close()
	}
	var why *outcome
	switch {
	case errors.As(err, &why):
		return nil, why
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return nil, errDiskFull
	case err != nil:
		return nil, r.internalError("storing artifacts", err)
	}
	return c.list, &outcome{state: engine.Succeeded}
}

var errDiskFull = &outcome{engine.Failed,
	i18n.T("The artifacts can't be stored: the disk for builds is full. Delete builds that you no longer need, then " +
		"build again.")}

// takeDist moves dist out of the workspace, and makes it the property of this process's user. No link of the build's is
// followed out of the folder that is looked at.
func (r *buildRun) takeDist(c *collection) (there bool, err error) {
	err = AsRoot(func() error {
		work, err := os.OpenRoot(r.workFolder())
		if err != nil {
			return err
		}
		defer work.Close()
		dist, out := fmt.Sprintf("%d/workspace/dist", r.ticket), filepath.Base(r.outFolder())
		fi, err := work.Lstat(dist)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && !fi.IsDir() {
			err = &outcome{engine.Failed, i18n.T("dist is not a folder.")}
		}
		if err != nil {
			return err
		}
		if err := work.Mkdir(out, 0o700); err != nil {
			return err
		}
		if err := work.Rename(dist, out+"/dist"); err != nil {
			return err
		}
		if err := work.Chmod(out+"/dist", 0o750); err != nil {
			return err
		}
		if c.root, err = work.OpenRoot(out + "/dist"); err != nil {
			return err
		}
		there = true
		if err := fs.WalkDir(c.root.FS(), ".", c.visit); err != nil {
			return err
		}
		return work.Lchown(out, c.uid, c.gid)
	})
	return there, err
}

// stage moves or, from another file system, copies what was collected beside the builds.
func (r *buildRun) stage(c *collection) error {
	if err := os.MkdirAll(filepath.Join(r.Dir, stageFolder, r.id), 0o750); err != nil {
		return err
	}
	err := os.Rename(filepath.Join(r.outFolder(), "dist"), r.stagePath())
	if !errors.Is(err, syscall.EXDEV) {
		return err
	}
	if err := os.Mkdir(r.stagePath(), 0o750); err != nil {
		return err
	}
	to, err := os.OpenRoot(r.stagePath())
	if err != nil {
		return err
	}
	defer to.Close()
	for _, artifact := range c.list {
		if c.ctx.Err() != nil {
			return stopReason(c.ctx)
		}
		if err := copyFile(to, c.root, artifact.Path, r.FreeDisk); err != nil {
			return err
		}
	}
	return syncToDisk(r.stagePath())
}

// copyFile copies a file that must not take what has to stay free. Its holes stay holes.
func copyFile(to, from *os.Root, name string, keep int64) error {
	in, err := from.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	fi, err := in.Stat()
	if err != nil {
		return err
	}
	if err := to.MkdirAll(path.Dir(name), 0o750); err != nil {
		return err
	}
	out, err := to.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	defer out.Close()
	var disk syscall.Statfs_t
	if err := syscall.Fstatfs(int(out.Fd()), &disk); err != nil {
		return err
	}
	if int64(disk.Bavail)*int64(disk.Bsize)-fi.Sys().(*syscall.Stat_t).Blocks*512 < keep {
		return errDiskFull
	}
	const seekData, seekHole = 3, 4 // lseek(2)
	for at := int64(0); ; {
		data, err := in.Seek(at, seekData)
		if errors.Is(err, syscall.ENXIO) {
			return errors.Join(out.Truncate(fi.Size()), out.Sync())
		}
		if err != nil {
			return err
		}
		if at, err = in.Seek(data, seekHole); err != nil {
			return err
		}
		if _, err := io.Copy(io.NewOffsetWriter(out, data), io.NewSectionReader(in, data, at-data)); err != nil {
			return err
		}
	}
}

// stageFolder holds a folder for each runner, with what is on its way to a build's place.
const stageFolder = "@stage"

func (r *buildRun) stagePath() string {
	return filepath.Join(r.Dir, stageFolder, r.id, fmt.Sprint(r.ticket))
}

// publish puts the artifacts where the engine looks for them.
func (r *buildRun) publish() error {
	place := filepath.Join(r.Dir, folder(r.job, r.number))
	dist := filepath.Join(place, "dist")
	// An earlier try may have got this far.
	if err := os.Rename(r.stagePath(), dist); err != nil && !(errors.Is(err, fs.ErrNotExist) && isDir(dist)) {
		return err
	}
	return syncToDisk(place)
}

func isDir(path string) bool {
	fi, err := os.Lstat(path)
	return err == nil && fi.IsDir()
}

// syncToDisk waits until a file or directory is on the disk.
func syncToDisk(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// collection is the artifacts of a build while they are looked through.
type collection struct {
	ctx      context.Context
	root     *os.Root
	limit    int64 // bytes; 0: none
	uid, gid int
	note     func(string)
	list     []store.Artifact
	bytes    int64
	seen     int // also folders, and what was rejected
	rejected int
}

func (c *collection) visit(name string, entry fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if c.seen++; c.seen > maxArtifacts+1 { // the first is dist itself
		return &outcome{engine.Failed, i18n.T("dist has more than %d files and folders.", maxArtifacts)}
	}
	switch {
	case len(name) > maxPath:
		return &outcome{engine.Failed, i18n.T("dist has a path of more than %d bytes.", maxPath)}
	case entry.IsDir():
		// Before it is read, and in case its owner can't.
		if err := c.chown(name, 0o750); err != nil {
			return err
		}
		return c.sync(name)
	case !entry.Type().IsRegular():
		return c.reject(name, "only regular files are")
	case !printable.IsPath(name):
		return c.reject(name, "its name has characters that can't be shown")
	}
	if err := c.chown(name, 0o640); err != nil {
		return err
	}
	fi, err := entry.Info()
	if err != nil {
		return err
	}
	if c.bytes += fi.Size(); c.limit > 0 && c.bytes > c.limit {
		return &outcome{engine.Failed,
			i18n.T("dist takes more than %s, which is the limit of this site.", engine.FormatBytes(c.limit))}
	}
	size, sum, err := c.digest(name)
	c.list = append(c.list, store.Artifact{Path: name, Size: size, SHA256: sum})
	return err
}

func (c *collection) chown(name string, mode fs.FileMode) error {
	if err := c.root.Lchown(name, c.uid, c.gid); err != nil {
		return err
	}
	return c.root.Chmod(name, mode)
}

func (c *collection) sync(name string) error {
	f, err := c.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// reject deletes what can't be an artifact, and says so in the log, if not too often.
func (c *collection) reject(name, why string) error {
	if c.rejected++; c.rejected <= 20 {
		c.note(fmt.Sprintf("dist/%s is not kept: %s.", strings.Trim(fmt.Sprintf("%q", name), `"`), why))
	}
	return c.root.Remove(name)
}

// digest reads a file to its end and waits until it is on the disk.
func (c *collection) digest(name string) (size int64, sum string, err error) {
	f, err := c.root.Open(name)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	h := sha256.New()
	for buf := make([]byte, 256<<10); ; {
		if c.ctx.Err() != nil {
			return 0, "", stopReason(c.ctx)
		}
		n, err := f.Read(buf)
		h.Write(buf[:n])
		size += int64(n)
		if err == io.EOF {
			return size, hex.EncodeToString(h.Sum(nil)), f.Sync()
		}
		if err != nil {
			return 0, "", err
		}
	}
}

// verify compares the files with SHA256SUMS, if the build left one; it is in sha256sum(1)'s format.
func (c *collection) verify() error {
	f, err := c.root.Open("SHA256SUMS")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	sums, err := io.ReadAll(io.LimitReader(f, maxSums+1))
	if err != nil {
		return err
	}
	if len(sums) > maxSums {
		return &outcome{engine.Failed, i18n.T("dist/SHA256SUMS is too long.")}
	}
	have := map[string]string{}
	for _, r := range c.list {
		have[r.Path] = r.SHA256
	}
	for line := range strings.Lines(string(sums)) {
		name, sum, ok := engine.ParseChecksum(strings.TrimSuffix(line, "\n"))
		switch {
		case !ok:
			return &outcome{engine.Failed, i18n.T("dist/SHA256SUMS has an invalid line: %.80q.", line)}
		case have[name] == "":
			return &outcome{engine.Failed, i18n.T("dist/SHA256SUMS lists %q, which is not in dist.", name)}
		case have[name] != sum:
			return &outcome{engine.Failed, i18n.T("dist/SHA256SUMS does not match %q.", name)}
		}
	}
	return nil
}
