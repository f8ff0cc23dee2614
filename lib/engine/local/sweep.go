package local

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// dead returns the runners that are dead, of those that are known by name and those that have left a trace, and ends
// what is left of their builds.
func (w *keeper) dead(known []string) (all []string) {
	for id := range w.others(known) {
		dead := false
		// Its working directory may belong to a runner of another database, which lives.
		AsRoot(func() error {
			dead = free(filepath.Join(w.Dir, runnersFolder, id)) && free(filepath.Join(w.WorkDir, id))
			return nil
		})
		if dead {
			killMarked(markOf+id+"/", true)
			all = append(all, id)
		}
	}
	bin := filepath.Join(w.Dir, trashFolder)
	old, _ := os.ReadDir(bin)
	for _, entry := range old {
		if err := os.RemoveAll(filepath.Join(bin, entry.Name())); err != nil {
			w.Log.Error("deleting what nobody wants any more", "error", err)
		}
	}
	return all
}

// others are the ids of all runners that have left a trace, but this one.
func (w *keeper) others(known []string) map[string]bool {
	ids := map[string]bool{}
	for _, id := range known {
		ids[id] = true
	}
	for _, dir := range []string{w.WorkDir, filepath.Join(w.Dir, runnersFolder), filepath.Join(w.Dir, stageFolder)} {
		var entries []os.DirEntry
		AsRoot(func() (err error) {
			entries, err = os.ReadDir(dir)
			return err
		})
		for _, entry := range entries {
			if isRunner(entry.Name()) {
				ids[entry.Name()] = true
			}
		}
	}
	delete(ids, w.id)
	return ids
}

// lose ends the log of a lost build, and deletes what it may have left.
func (w *keeper) lose(r request) error {
	path := folder(r.Job, r.Number)
	w.epitaph(filepath.Join(w.Dir, path, "log"), r.Ended)
	var trash trash
	defer trash.empty()
	return trash.add(w.Dir, filepath.Join(path, "dist"))
}

// epitaph ends the log of a lost build; its time stays that of the build's last word.
func (w *keeper) epitaph(path string, ended time.Time) {
	log, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|syscall.O_NOFOLLOW, 0)
	if err == nil {
		defer log.Close()
		err = errors.Join(note(log, lostReason), os.Chtimes(path, ended, ended))
	}
	if err != nil {
		w.Log.Error("writing to a lost build's log", "path", path, "error", err)
	}
}

// clearDead removes the files of dead runners.
func (w *keeper) clearDead(ids []string) error {
	for _, id := range w.dead(ids) {
		if slices.Contains(ids, id) {
			if err := w.clear(id); err != nil {
				return err
			}
		}
	}
	return nil
}

// clear removes a runner's files, but no build's.
func (w *keeper) clear(id string) error {
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
