package app

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
)

// DiskSpace is an error of kind Full when less is free than limits.free_disk says on a disk that builds need: the
// database's, and with the local engine those where builds run and leave what they made.
func DiskSpace(cfg *config.Config) error {
	paths := []string{filepath.Dir(cfg.Paths.Database)}
	if cfg.Engine == "local" {
		paths = append(paths, cfg.Paths.Builds, cfg.Local.WorkDir)
	}
	for _, path := range paths {
		free, err := freeDisk(path)
		if err != nil {
			return err
		}
		if free < int64(cfg.Limits.FreeDisk) {
			return apperr.Wrap(apperr.StorageFull, fmt.Errorf("%s has %d MiB left, limits.free_disk is %s", path, free>>20,
				cfg.Limits.FreeDisk),
				"The disk of the server is nearly full. No more builds start.",
				"Delete jobs that you no longer need, and try again later. Administrator: free some space, or lower "+
					"limits.free_disk.")
		}
	}
	return nil
}

// freeDisk returns the bytes that a user may still write to the disk of a path. One that isn't made yet is its
// folder's.
func freeDisk(path string) (int64, error) {
	var st syscall.Statfs_t
	err := syscall.Statfs(path, &st)
	for errors.Is(err, fs.ErrNotExist) && path != filepath.Dir(path) {
		path = filepath.Dir(path)
		err = syscall.Statfs(path, &st)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}
