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

// queueFile is where a process that is the Queue finds its end of the connection.
const queueFile = 3

// Foreign returns the user and group of a database's folder, where this process is root and they are somebody else's.
func Foreign(folder string) (*syscall.Credential, error) {
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

// RunApart is Run with the Queue in a process of another user: cmd, whose program calls QueueEnd.
func (k *Keeper) RunApart(ctx context.Context, cmd *exec.Cmd, user *syscall.Credential) error {
	queue, keeper, err := Pair()
	if err != nil {
		return err
	}
	cmd.ExtraFiles = []*os.File{queue}
	// What a terminal sends to its group ends the Keeper, who ends the Queue.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: user, Setpgid: true}
	err = cmd.Start()
	queue.Close()
	if err != nil {
		keeper.Close()
		return fmt.Errorf("runner: starting the half that knows the database: %w", err)
	}
	own := *k
	own.Apart = true
	err = own.Run(ctx, keeper)
	kill := time.AfterFunc(patience, func() { AsRoot(cmd.Process.Kill) })
	defer kill.Stop()
	if ended := cmd.Wait(); ended != nil {
		return fmt.Errorf("runner: the half that knows the database failed (%w): it has said why", ended)
	}
	return err
}

// QueueEnd returns the Queue's end of the connection, in the process that RunApart has started. That process ends with
// the Keeper, and not by signals.
func QueueEnd() (*os.File, error) {
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	if err := syscall.SetNonblock(queueFile, true); err != nil {
		return nil, fmt.Errorf("this is for the runner alone: %w", err)
	}
	syscall.CloseOnExec(queueFile)
	os.WriteFile("/proc/self/comm", []byte("toaster-queue"), 0) // what ps calls it
	return os.NewFile(queueFile, "queue"), nil
}
