package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// reap REPORT COMMAND…: runs a command, and adopts each process that it leaves behind. REPORT is a file for
// their names, and for how much memory the largest process had, in KiB. What is left after some seconds is
// killed.
func reap(args []string) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fatal(err)
	}
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	stop := make(chan os.Signal, 8)
	signal.Notify(stop, syscall.SIGTERM)
	if err := cmd.Start(); err != nil {
		fatal(err)
	}
	go func() {
		for s := range stop {
			_ = cmd.Process.Signal(s)
		}
	}()
	err := cmd.Wait()
	var report struct {
		Left   []string
		Memory int64
	}
	report.Memory = int64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
	report.Left = orphans(5 * time.Second)
	text, _ := json.Marshal(report)
	if err := os.WriteFile(args[0], text, 0o600); err != nil {
		fatal(err)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	} else if err != nil {
		fatal(err)
	}
}

// orphans waits until no child is left, and returns those that stay.
func orphans(patience time.Duration) (left []string) {
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
		children := strings.Fields(childrenOf(os.Getpid()))
		if len(children) == 0 || time.Now().After(end) {
			for _, pid := range children {
				line, _ := os.ReadFile("/proc/" + pid + "/cmdline")
				left = append(left, pid+" "+strings.ReplaceAll(string(line), "\x00", " "))
				n, _ := strconv.Atoi(pid)
				_ = syscall.Kill(n, syscall.SIGKILL)
			}
			return left
		}
	}
}

func childrenOf(pid int) string {
	var all strings.Builder
	tasks, _ := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	for _, task := range tasks {
		text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/task/" + task.Name() + "/children")
		all.Write(text)
		all.WriteByte(' ')
	}
	return all.String()
}
