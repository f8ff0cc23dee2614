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

// findDead returns the runners that are dead, of those that are known by name and those that have left a trace, and
// ends what is left of their builds.
func (e *executor) findDead(known []string) (all []string) {
	for id := range e.otherRunners(known) {
		dead := false
		// Its working directory may belong to a runner of another database, which lives.
		AsRoot(func() error {
			dead = isUnlocked(filepath.Join(e.Dir, runnersFolder, id)) && isUnlocked(filepath.Join(e.WorkDir, id))
			return nil
		})
		if dead {
			killMarked(markPrefix+id+"/", true)
			all = append(all, id)
		}
	}
	bin := filepath.Join(e.Dir, trashFolder)
	old, _ := os.ReadDir(bin)
	for _, entry := range old {
		if err := os.RemoveAll(filepath.Join(bin, entry.Name())); err != nil {
			e.Log.Error("deleting what nobody wants any more", "error", err)
		}
	}
	return all
}

// otherRunners are the ids of all runners that have left a trace, but this one.
func (e *executor) otherRunners(known []string) map[string]bool {
	ids := map[string]bool{}
	for _, id := range known {
		ids[id] = true
	}
	for _, dir := range []string{e.WorkDir, filepath.Join(e.Dir, runnersFolder), filepath.Join(e.Dir, stageFolder)} {
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
	delete(ids, e.id)
	return ids
}

// markLost ends the log of a lost build, and deletes what it may have left.
func (e *executor) markLost(r request) error {
	path := folder(r.Job, r.Number)
	e.writeLostReason(filepath.Join(e.Dir, path, "log"), r.Ended)
	var trash trash
	defer trash.empty()
	return trash.add(e.Dir, filepath.Join(path, "dist"))
}

// writeLostReason ends the log of a lost build; its time stays that of the build's last activity.
func (e *executor) writeLostReason(path string, ended time.Time) {
	log, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|syscall.O_NOFOLLOW, 0)
	if err == nil {
		defer log.Close()
		err = errors.Join(writeLogLine(log, string(lostReason)), os.Chtimes(path, ended, ended))
	}
	if err != nil {
		e.Log.Error("writing to a lost build's log", "path", path, "error", err)
	}
}

// removeDead removes the files of dead runners.
func (e *executor) removeDead(ids []string) error {
	for _, id := range e.findDead(ids) {
		if slices.Contains(ids, id) {
			if err := e.removeFiles(id); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeFiles removes a runner's files, but no build's.
func (e *executor) removeFiles(id string) error {
	secrets, _ := filepath.Glob(secretsOf(id) + "*")
	return errors.Join(
		removeWorkDirs(append(secrets, filepath.Join(e.WorkDir, id))...),
		os.RemoveAll(filepath.Join(e.Dir, stageFolder, id)),
		os.RemoveAll(filepath.Join(e.Dir, runnersFolder, id)),
	)
}

// removeWorkDirs deletes directories in which builds have worked. It refuses to go where something is mounted.
func removeWorkDirs(paths ...string) error {
	return AsRoot(func() error {
		for _, path := range paths {
			if mount, err := mountBelow(path); err != nil || mount != "" {
				return errors.Join(err, fmt.Errorf("%s is not removed: something is mounted on %q", path, mount))
			}
			if err := removeAll(path); err != nil {
				return err
			}
		}
		return nil
	})
}

// removeAll is os.RemoveAll, and for a normal user tries also as the root of a user namespace: what builds make there
// may belong to subordinate ids, or be write-protected.
func removeAll(path string) error {
	err := os.RemoveAll(path)
	if err == nil || os.Geteuid() == 0 {
		return err
	}
	for _, ids := range []string{"--map-auto", "--"} {
		rm := exec.Command("unshare", "--map-root-user", ids, "rm", "-rf", "--one-file-system", "--", path)
		out, err2 := rm.CombinedOutput()
		if err2 == nil {
			return nil
		}
		err = errors.Join(err, fmt.Errorf("unshare %s rm: %w: %s", ids, err2, out))
	}
	return err
}

// mountBelow returns a mount point at or below path, if there is one. See proc_pid_mountinfo(5).
func mountBelow(path string) (string, error) {
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
