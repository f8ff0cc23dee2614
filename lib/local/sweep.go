package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"toaster.do/lib/engine"
	"toaster.do/lib/store"
)

// sweeps puts right what dead runners left, at once and then again and again.
func (w *worker) sweeps(ctx context.Context) {
	for {
		if err := w.sweep(ctx); err != nil && ctx.Err() == nil {
			w.Log.Error("putting right what a dead runner left", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(beat):
		}
	}
}

func (w *worker) sweep(ctx context.Context) error {
	running, _, err := w.DB.LocalOpen(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for id := range w.others(running) {
		dead := false
		// Its working directory may belong to a runner of another database, which lives.
		AsRoot(func() error {
			dead = free(filepath.Join(w.Dir, runnersFolder, id)) && free(filepath.Join(w.WorkDir, id))
			return nil
		})
		if dead {
			errs = append(errs, w.bury(ctx, id, running))
		}
	}
	bin := filepath.Join(w.Dir, trashFolder)
	old, _ := os.ReadDir(bin)
	for _, entry := range old {
		errs = append(errs, os.RemoveAll(filepath.Join(bin, entry.Name())))
	}
	return errors.Join(errs...)
}

// others are the ids of all runners that have left a trace, but this one.
func (w *worker) others(running []store.LocalBuild) map[string]bool {
	ids := map[string]bool{}
	for _, b := range running {
		ids[b.Runner] = true
	}
	for _, dir := range []string{w.WorkDir, filepath.Join(w.Dir, runnersFolder), filepath.Join(w.Dir, stageFolder)} {
		var entries []os.DirEntry
		AsRoot(func() (err error) {
			entries, err = os.ReadDir(dir)
			return err
		})
		for _, entry := range entries {
			if strings.HasPrefix(entry.Name(), "runner-") {
				ids[entry.Name()] = true
			}
		}
	}
	delete(ids, w.id)
	return ids
}

// bury ends what is left of a dead runner's builds, says that they are lost, and removes its files. Two runners may do
// so at once.
func (w *worker) bury(ctx context.Context, id string, running []store.LocalBuild) error {
	killMarked(markOf+id+"/", true)
	for _, b := range running {
		if b.Runner == id {
			if err := w.lose(ctx, b); err != nil {
				return err
			}
		}
	}
	return w.clear(id)
}

func (w *worker) lose(ctx context.Context, b store.LocalBuild) error {
	ended := lastWord(w.Dir, b)
	path := folder(b.Job, b.Number)
	var trash trash
	defer trash.empty()
	end := store.LocalEnd{Ticket: b.Ticket, Runner: b.Runner, State: string(engine.Lost), Reason: lostReason, EndedAt: ended}
	_, err := w.DB.LocalFinish(ctx, end, func() error {
		w.Log.Warn("a build is lost", "job", b.Job, "number", b.Number, "runner", b.Runner)
		w.epitaph(filepath.Join(w.Dir, path, "log"), ended)
		return trash.add(w.Dir, filepath.Join(path, "dist"))
	}, func(job string, number int) error {
		return trash.add(w.Dir, folder(job, number))
	})
	return err
}

// epitaph ends the log of a lost build; its time stays that of the build's last word.
func (w *worker) epitaph(path string, ended time.Time) {
	log, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err == nil {
		defer log.Close()
		err = errors.Join(note(log, lostReason), os.Chtimes(path, ended, ended))
	}
	if err != nil {
		w.Log.Error("writing to a lost build's log", "path", path, "error", err)
	}
}

// clear removes a runner's files, but no build's.
func (w *worker) clear(id string) error {
	return errors.Join(
		remove(filepath.Join(w.WorkDir, id)),
		os.RemoveAll(filepath.Join(w.Dir, stageFolder, id)),
		os.RemoveAll(filepath.Join(w.Dir, runnersFolder, id)),
	)
}

// remove deletes directories in which builds have worked. It refuses to go where something is mounted.
func remove(paths ...string) error {
	return AsRoot(func() error {
		for _, path := range paths {
			if mount, err := mounted(path); err != nil || mount != "" {
				return errors.Join(err, fmt.Errorf("%s is not removed: something is mounted on %q", path, mount))
			}
			if err := removeAll(path); err != nil {
				return err
			}
		}
		return nil
	})
}

// removeAll is os.RemoveAll, and for a normal user tries also as the root of a user namespace: what builds make there may
// belong to subordinate ids, or be write-protected.
func removeAll(path string) error {
	err := os.RemoveAll(path)
	if err == nil || os.Geteuid() == 0 {
		return err
	}
	for _, ids := range []string{"--map-auto", "--"} {
		out, err2 := exec.Command("unshare", "--map-root-user", ids, "rm", "-rf", "--one-file-system", "--", path).CombinedOutput()
		if err2 == nil {
			return nil
		}
		err = errors.Join(err, fmt.Errorf("unshare %s rm: %w: %s", ids, err2, out))
	}
	return err
}

// mounted returns a mount point at or below path, if there is one. See proc_pid_mountinfo(5).
func mounted(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); ; {
		if !lines.Scan() {
			return "", lines.Err()
		}
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			continue
		}
		point, err := strconv.Unquote(`"` + strings.ReplaceAll(fields[4], `"`, `\"`) + `"`)
		if err != nil {
			point = fields[4]
		}
		if point == path || strings.HasPrefix(point, path+"/") {
			return point, nil
		}
	}
}
