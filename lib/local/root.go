package local

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// Become prepares a runner that root has started for a database of another user: call it before store.Open.
// From then on the process acts as that user, so that no file of the database or of the builds becomes root's
// and no link planted there leads root astray; it is root again only for the build scripts and their working
// directories. For any other user, and for a database of root's own, it does nothing.
func Become(database string) error {
	fi, err := os.Stat(filepath.Dir(database))
	if err != nil {
		return err
	}
	owner := fi.Sys().(*syscall.Stat_t)
	if os.Geteuid() != 0 || owner.Uid == 0 {
		return nil
	}
	// The real and saved ids stay 0: the way back.
	if err := syscall.Setresgid(-1, int(owner.Gid), -1); err != nil {
		return fmt.Errorf("becoming group %d: %w", owner.Gid, err)
	}
	if err := syscall.Setresuid(-1, int(owner.Uid), -1); err != nil {
		return fmt.Errorf("becoming user %d: %w", owner.Uid, err)
	}
	return nil
}

// twoFaced tells whether Become has made this process another user's.
func twoFaced() bool { return os.Getuid() == 0 && os.Geteuid() != 0 }

// AsRoot calls f as root after Become, else as whoever this is. Only f's own thread is root: f must not leave
// its work to another goroutine.
func AsRoot(f func() error) error {
	if !twoFaced() {
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

// seteuid changes the effective user of this thread alone, as setresuid(2) itself does and syscall.Setresuid,
// which changes all threads, does not.
func seteuid(user uintptr) error {
	const same = ^uintptr(0)
	if _, _, errno := syscall.RawSyscall(setresuid, same, user, same); errno != 0 {
		return errno
	}
	return nil
}
