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
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"toaster.do/lib/engine"
	"toaster.do/lib/store"
)

// maxArtifacts is how many files a build may leave.
const maxArtifacts = 10000

// collect takes what a script that succeeded has left in dist: regular files, checked against its SHA256SUMS, safely on
// the disk. They wait in the stage for commit.
func (a *attempt) collect(ctx context.Context) ([]store.Artifact, *outcome) {
	c := collection{ctx: ctx, root: filepath.Join(a.outFolder(), "dist"), uid: os.Geteuid(), gid: os.Getegid(), note: a.note}
	there, err := a.takeOut(&c)
	if err == nil && there {
		if err = c.verify(); err == nil {
			err = a.stage(c.root)
		}
	}
	var why *outcome
	switch {
	case errors.As(err, &why):
		return nil, why
	case err != nil:
		return nil, a.trouble("storing artifacts", err)
	}
	return c.list, &outcome{state: engine.Succeeded}
}

// takeOut moves dist out of the workspace, and makes it the property of this process's user.
func (a *attempt) takeOut(c *collection) (there bool, err error) {
	err = AsRoot(func() error {
		dist := filepath.Join(a.folder(), "workspace", "dist")
		fi, err := os.Lstat(dist)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && !fi.IsDir() {
			err = &outcome{engine.Failed, "dist is not a directory."}
		}
		if err != nil {
			return err
		}
		there = true
		if err := os.Mkdir(a.outFolder(), 0o700); err != nil {
			return err
		}
		if err := os.Rename(dist, c.root); err != nil {
			return err
		}
		if err := filepath.WalkDir(c.root, c.visit); err != nil {
			return err
		}
		return os.Lchown(a.outFolder(), c.uid, c.gid)
	})
	return there, err
}

// stage moves or, from another file system, copies what was collected beside the builds.
func (a *attempt) stage(from string) error {
	if err := os.MkdirAll(filepath.Join(a.Dir, stageFolder, a.id), 0o750); err != nil {
		return err
	}
	err := os.Rename(from, a.staged())
	if !errors.Is(err, syscall.EXDEV) {
		return err
	}
	if err := os.CopyFS(a.staged(), os.DirFS(from)); err != nil {
		return err
	}
	return filepath.WalkDir(a.staged(), func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return flush(path)
	})
}

// stageFolder holds a folder for each runner, with what is on its way to a build's place.
const stageFolder = "@stage"

func (a *attempt) staged() string {
	return filepath.Join(a.Dir, stageFolder, a.id, fmt.Sprint(a.Ticket))
}

// commit says how the build ended, once its artifacts are in place. If that can't be said, it tries until the runner
// ends, and leaves it to the next one to find the build lost.
func (a *attempt) commit(end store.LocalEnd) {
	defer os.RemoveAll(a.staged())
	for {
		var trash trash
		_, err := a.DB.LocalFinish(context.Background(), end, func() error { return a.settle(end) }, func(job string, number int) error {
			return trash.add(a.Dir, folder(job, number))
		})
		trash.empty()
		if err == nil {
			return
		}
		a.Log.Error("storing the end of a build", "job", a.Job, "number", a.Number, "error", err)
		select {
		case <-a.closing:
			return
		case <-time.After(time.Second):
		}
	}
}

// settle puts the artifacts where the engine looks for them.
func (a *attempt) settle(end store.LocalEnd) error {
	place := filepath.Join(a.Dir, folder(a.Job, a.Number))
	if len(end.Artifacts) == 0 {
		return nil
	}
	dist := filepath.Join(place, "dist")
	// An earlier try may have got this far.
	if err := os.Rename(a.staged(), dist); err != nil && !(errors.Is(err, fs.ErrNotExist) && isDir(dist)) {
		return err
	}
	return flush(place)
}

func isDir(path string) bool {
	fi, err := os.Lstat(path)
	return err == nil && fi.IsDir()
}

// flush waits until a file or directory is on the disk.
func flush(path string) error {
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
	root     string
	uid, gid int
	note     func(string)
	list     []store.Artifact
	dropped  int
}

func (c *collection) visit(path string, entry fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	name, err := filepath.Rel(c.root, path)
	if err != nil {
		return err
	}
	switch {
	case entry.IsDir():
		// Before it is read, and in case its owner can't.
		if err := c.own(path, 0o750); err != nil {
			return err
		}
		return flush(path)
	case !entry.Type().IsRegular():
		return c.drop(path, name, "only regular files are")
	case !printable(name):
		return c.drop(path, name, "its name has characters that can't be shown")
	case len(c.list) == maxArtifacts:
		return &outcome{engine.Failed, fmt.Sprintf("dist has more than %d files.", maxArtifacts)}
	}
	if err := c.own(path, 0o640); err != nil {
		return err
	}
	size, sum, err := c.digest(path)
	c.list = append(c.list, store.Artifact{Path: filepath.ToSlash(name), Size: size, SHA256: sum})
	return err
}

func (c *collection) own(path string, mode fs.FileMode) error {
	if err := os.Lchown(path, c.uid, c.gid); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

// drop deletes what can't be an artifact, and says so in the log, if not too often.
func (c *collection) drop(path, name, why string) error {
	if c.dropped++; c.dropped <= 20 {
		c.note(fmt.Sprintf("dist/%s is not kept: %s.", strings.Trim(fmt.Sprintf("%q", name), `"`), why))
	}
	return os.Remove(path)
}

func printable(name string) bool {
	return utf8.ValidString(name) && strings.IndexFunc(name, unicode.IsControl) < 0
}

// digest reads a file to its end and waits until it is on the disk.
func (c *collection) digest(path string) (size int64, sum string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	h := sha256.New()
	for buf := make([]byte, 256<<10); ; {
		if c.ctx.Err() != nil {
			return 0, "", because(c.ctx)
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
	sums, err := os.ReadFile(filepath.Join(c.root, "SHA256SUMS"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	have := map[string]string{}
	for _, a := range c.list {
		have[a.Path] = a.SHA256
	}
	for line := range strings.Lines(string(sums)) {
		name, sum, ok := parseSum(strings.TrimSuffix(line, "\n"))
		switch {
		case !ok:
			return &outcome{engine.Failed, fmt.Sprintf("dist/SHA256SUMS has a line that is none of sha256sum's: %.80q.", line)}
		case have[name] == "":
			return &outcome{engine.Failed, fmt.Sprintf("dist/SHA256SUMS names %q, which is not in dist.", name)}
		case have[name] != sum:
			return &outcome{engine.Failed, fmt.Sprintf("dist/SHA256SUMS does not match %q.", name)}
		}
	}
	return nil
}

// parseSum reads a line of sha256sum: digest, two spaces or a space and an asterisk, and the name; after a backslash at
// the line's beginning the name is escaped.
func parseSum(line string) (name, sum string, ok bool) {
	line, escaped := strings.CutPrefix(line, `\`)
	if len(line) < 67 || line[64] != ' ' || line[65] != ' ' && line[65] != '*' {
		return "", "", false
	}
	name, sum = line[66:], strings.ToLower(line[:64])
	if escaped {
		name = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r").Replace(name)
	}
	return strings.TrimPrefix(name, "./"), sum, true
}
