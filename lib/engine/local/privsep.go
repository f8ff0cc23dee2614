package local

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// dispatcherFD is where a process that is the Dispatcher finds its end of the connection.
const dispatcherFD = 3

// ForeignOwner returns the user and group of a database's folder, where this process is root and they are not; else
// nil.
func ForeignOwner(folder string) (*syscall.Credential, error) {
	fi, err := os.Stat(folder)
	if err != nil {
		return nil, err
	}
	owner := fi.Sys().(*syscall.Stat_t)
	if os.Geteuid() != 0 || owner.Uid == 0 {
		return nil, nil
	}
	return &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}, nil
}

// RunSeparate is Run with the Dispatcher in a process of another user: cmd, whose program calls DispatcherConn.
func (k *Executor) RunSeparate(ctx context.Context, cmd *exec.Cmd, user *syscall.Credential) error {
	dispatcherConn, executorConn, err := connPair()
	if err != nil {
		return err
	}
	cmd.ExtraFiles = []*os.File{dispatcherConn}
	// What a terminal sends to its group ends the Executor, who ends the Dispatcher.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: user, Setpgid: true}
	err = cmd.Start()
	dispatcherConn.Close()
	if err != nil {
		executorConn.Close()
		return fmt.Errorf("runner: starting the half that knows the database: %w", err)
	}
	own := *k
	own.Separate = true
	err = own.Run(ctx, executorConn)
	kill := time.AfterFunc(shutdownGrace, func() { AsRoot(cmd.Process.Kill) })
	defer kill.Stop()
	if ended := cmd.Wait(); ended != nil {
		return fmt.Errorf("runner: the half that knows the database failed (%w): its output has the reason", ended)
	}
	return err
}

// DispatcherConn returns the Dispatcher's end of the connection, in the process that RunSeparate has started. That
// process ends with the Executor, and not by signals.
func DispatcherConn() (*os.File, error) {
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	if err := syscall.SetNonblock(dispatcherFD, true); err != nil {
		return nil, fmt.Errorf("this is for the runner alone: %w", err)
	}
	syscall.CloseOnExec(dispatcherFD)
	os.WriteFile("/proc/self/comm", []byte("runner-dispatch"), 0) // what ps calls it
	return os.NewFile(dispatcherFD, "queue"), nil
}
