package local

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// runnersFolder holds a file for each runner, named by its id. It says how many builds the runner runs at once, its
// time is the runner's last sign of life, and the runner holds a lock on it.
const runnersFolder = "@runners"

// hangTimeout is how old a runner's last sign of life may be before it counts as hanging; it gives one each heartbeat.
const (
	heartbeat   = 5 * time.Second
	hangTimeout = 3 * heartbeat
)

// runner is a runner that lives.
type runner struct {
	id          string
	concurrency int
	seen        time.Time
}

func (r runner) responsive() bool { return time.Since(r.seen) < hangTimeout }

// runners returns the runners that live.
func runners(dir string) (all []runner) {
	entries, _ := os.ReadDir(filepath.Join(dir, runnersFolder))
	for _, entry := range entries {
		path := filepath.Join(dir, runnersFolder, entry.Name())
		if isUnlocked(path) {
			continue
		}
		text, _ := os.ReadFile(path)
		concurrency, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		if fi, err := os.Stat(path); err == nil {
			all = append(all, runner{id: entry.Name(), concurrency: concurrency, seen: fi.ModTime()})
		}
	}
	return all
}

// liveRunnerIDs returns the ids of the runners that live.
func liveRunnerIDs(dir string) (ids []string) {
	for _, r := range runners(dir) {
		ids = append(ids, r.id)
	}
	return ids
}

// liveRunners remembers which runners live, so that each is asked for once.
type liveRunners struct {
	dir  string
	live map[string]bool
}

func (c *liveRunners) has(id string) bool {
	live, asked := c.live[id]
	if !asked {
		live = !isUnlocked(filepath.Join(c.dir, runnersFolder, id))
		if c.live == nil {
			c.live = map[string]bool{}
		}
		c.live[id] = live
	}
	return live
}

// isUnlocked tells whether nobody holds path: it is gone, or its lock can be had.
func isUnlocked(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		// What can't be opened for another reason may well be held.
		return errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close()
	return flock(f, syscall.LOCK_SH|syscall.LOCK_NB) == nil
}

// lockFile makes path with create, and locks it until the file is closed or the process dies.
func lockFile(path string, create func() error) (*os.File, error) {
	for {
		if err := create(); err != nil {
			return nil, err
		}
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := flock(f, syscall.LOCK_EX); err != nil {
			f.Close()
			return nil, err
		}
		// Another runner may have cleared it away before it was locked.
		mine, err1 := f.Stat()
		there, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(mine, there) {
			return f, nil
		}
		f.Close()
	}
}

func flock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how); err != syscall.EINTR {
			return err
		}
	}
}
