package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
)

// contextFolder has the files of the build context that the script needs, which checks them.
func (r *buildRun) contextFolder() string { return filepath.Join(r.folder(), "context") }

// lendContext gives the build the files of its context: as other names of them where that can be.
func (r *buildRun) lendContext(ctx context.Context) error {
	err := AsRoot(func() error {
		// The build reads them with other ids, whatever this process's umask.
		for _, dir := range []string{"", "blobs"} {
			dir = filepath.Join(r.contextFolder(), dir)
			if err := errors.Join(os.Mkdir(dir, 0o755), os.Chmod(dir, 0o755)); err != nil {
				return err
			}
		}
		manifest := filepath.Join(r.contextFolder(), "manifest")
		return errors.Join(os.WriteFile(manifest, r.made.Context.Manifest, 0o644), os.Chmod(manifest, 0o644))
	})
	if err != nil {
		return err
	}
	contexts, err := os.OpenRoot(r.Contexts)
	if err != nil {
		return err
	}
	defer contexts.Close()
	for _, sum := range r.made.Context.Files {
		if ctx.Err() != nil {
			return stopReason(ctx)
		}
		err := r.lendFile(contexts, filepath.Join(fmt.Sprint(r.Source.Owner), "blobs", sum[:2], sum), sum)
		if errors.Is(err, fs.ErrNotExist) {
			return &outcome{engine.Failed, i18n.T("Files of the build context are no longer on this server. Upload the context " +
				"again, on the page of the job.")}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lendFile gives the build a file that lies in the folder of a user who is not trusted: no link in it is followed.
func (r *buildRun) lendFile(contexts *os.Root, path, sum string) error {
	f, err := contexts.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		return errors.Join(err, fmt.Errorf("%s is not a file", path))
	}
	to := filepath.Join(r.contextFolder(), "blobs", sum)
	return AsRoot(func() error {
		name := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
		if unix.Linkat(unix.AT_FDCWD, name, unix.AT_FDCWD, to, unix.AT_SYMLINK_FOLLOW) == nil {
			return nil
		}
		// It is on another disk, or somebody else's: the kernel shares what both have where the file system can.
		out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, f)
		return errors.Join(err, out.Chmod(0o644), out.Close())
	})
}
