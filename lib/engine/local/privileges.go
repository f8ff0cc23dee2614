package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// DropPrivileges makes root act as the owner of a folder, so that nothing it makes there becomes root's and no link
// planted there leads root astray; AsRoot is the way back. A folder of root's own leaves root what it is, but for the
// group. For any other user it does nothing.
func DropPrivileges(folder string) error {
	fi, err := os.Stat(folder)
	if err != nil {
		return err
	}
	return actAs(fi)
}

func actAs(folder os.FileInfo) error {
	owner := folder.Sys().(*syscall.Stat_t)
	if os.Geteuid() != 0 {
		return nil
	}
	// The real and saved ids stay 0: the way back.
	if err := syscall.Setresgid(-1, int(owner.Gid), -1); err != nil {
		return fmt.Errorf("becoming group %d: %w", owner.Gid, err)
	}
	if owner.Uid == 0 {
		return nil
	}
	if err := syscall.Setresuid(-1, int(owner.Uid), -1); err != nil {
		return fmt.Errorf("becoming user %d: %w", owner.Uid, err)
	}
	return nil
}

// openDir opens the folder of logs and artifacts and becomes its owner. From then on it is reached by what was opened:
// whoever has the folder above may put another in its place.
func (e *executor) openDir() error {
	dir, err := filepath.Abs(e.Dir)
	if err != nil {
		return err
	}
	how := syscall.O_DIRECTORY
	if e.Separate {
		how |= syscall.O_NOFOLLOW
	} else if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	if e.dirs, err = os.OpenFile(dir, how, 0); err != nil {
		return fmt.Errorf("the folder of the builds: %w: toasterctl init makes it; a link it may not be", err)
	}
	fi, err := e.dirs.Stat()
	if err != nil {
		return err
	}
	e.Dir = fmt.Sprintf("/proc/self/fd/%d", e.dirs.Fd())
	return actAs(fi)
}

// CheckRootOwned is an error where somebody but root can put anything else in the place of a path, or of what a link in
// it leads to.
func CheckRootOwned(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	for p := path; ; p = filepath.Dir(p) {
		switch fi, err := os.Lstat(p); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case fi.Sys().(*syscall.Stat_t).Uid != 0,
			fi.IsDir() && fi.Mode().Perm()&0o022 != 0 && (p == path || fi.Mode()&fs.ModeSticky == 0):
			return fmt.Errorf(
				"%s: only root may write to the parent folders of local.work_dir, but others can write to %s: choose another "+
					"folder, "+
					"or, as root: chown root: %[2]s && chmod go-w %[2]s", path, p)
		case fi.Mode()&fs.ModeSymlink != 0:
			real, err := filepath.EvalSymlinks(p)
			if err != nil {
				return err
			}
			if err := CheckRootOwned(real); err != nil {
				return err
			}
		}
		if p == "/" {
			return nil
		}
	}
}

// privilegesDropped tells whether DropPrivileges has made this process another user's.
func privilegesDropped() bool { return os.Getuid() == 0 && os.Geteuid() != 0 }

// AsRoot calls f as root after DropPrivileges, else as whoever this is. Only f's own thread is root: f must not leave
// its work to another goroutine.
func AsRoot(f func() error) error {
	if !privilegesDropped() {
		return f()
	}
	runtime.LockOSThread()
	user := uintptr(os.Geteuid())
	if err := seteuid(0); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("becoming root: %w", err)
	}
	defer func() {
		if err := seteuid(user); err != nil {
			panic(fmt.Sprintf("can't become user %d again: %v", user, err))
		}
		runtime.UnlockOSThread()
	}()
	return f()
}

// AsOwner calls f with a folder, which is no link, as its owner, where this process was begun by root; else as whoever
// this is.
func AsOwner(folder string, f func(*os.Root) error) error {
	return AsRoot(func() error {
		dir, err := os.OpenFile(folder, syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
		if err != nil {
			return err
		}
		defer dir.Close()
		fi, err := dir.Stat()
		if err != nil {
			return err
		}
		root, err := os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", dir.Fd()))
		if err != nil {
			return err
		}
		defer root.Close()
		owner := fi.Sys().(*syscall.Stat_t)
		if os.Geteuid() != 0 {
			return f(root)
		}
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		group := uintptr(os.Getegid())
		if err := setegid(uintptr(owner.Gid)); err != nil {
			return err
		}
		if err := seteuid(uintptr(owner.Uid)); err != nil {
			return err
		}
		defer func() {
			if err := errors.Join(seteuid(0), setegid(group)); err != nil {
				panic(fmt.Sprintf("can't become root again: %v", err))
			}
		}()
		return f(root)
	})
}

func setegid(group uintptr) error {
	const same = ^uintptr(0)
	if _, _, errno := syscall.RawSyscall(setresgid, same, group, same); errno != 0 {
		return errno
	}
	return nil
}

// seteuid changes the effective user of this thread alone, as setresuid(2) itself does and syscall.Setresuid,
// which changes all threads, does not.
func seteuid(user uintptr) error {
	const same = ^uintptr(0)
	if _, _, errno := syscall.RawSyscall(setresuid, same, user, same); errno != 0 {
		return errno
	}
	return nil
}
