package jenkinstest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var errStopped, errGone = errors.New("stopped"), errors.New("gone")

// shell runs one shell step: with -xe, unless it begins with "#!".
func (s *Server) shell(b *build, command, workspace string) error {
	command = strings.ReplaceAll(command, "\r\n", "\n")
	script := filepath.Join(s.home, b.cookie+".sh")
	if err := os.WriteFile(script, []byte(command), 0o600); err != nil {
		return err
	}
	defer os.Remove(script)
	args := []string{"/bin/sh", "-xe", script}
	if first, _, _ := strings.Cut(command, "\n"); strings.HasPrefix(first, "#!") {
		args = append(strings.Fields(first[2:]), script)
	}
	b.say("[" + filepath.Base(workspace) + "] $ " + strings.Join(args, " "))
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = workspace, b.log, b.log
	cmd.Env = append(os.Environ(), cookieName+"="+b.cookie, "BUILD_NUMBER="+strconv.Itoa(b.number),
		"JOB_NAME="+filepath.Base(workspace), "WORKSPACE="+workspace, "NODE_NAME="+b.node.Name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		return err
	case <-b.ctx.Done():
	}
	if context.Cause(b.ctx) == errGone {
		return errGone
	}
	signalGroup(cmd.Process.Pid, b.cookie, syscall.SIGTERM)
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		signalGroup(cmd.Process.Pid, b.cookie, syscall.SIGKILL)
		<-done
	}
	return errStopped
}

// cookieName is the variable by which a build's processes are found, also when they have left their group.
const cookieName = "HUDSON_COOKIE"

func signalGroup(group int, cookie string, sig syscall.Signal) {
	syscall.Kill(-group, sig)
	for _, pid := range withCookie(cookie) {
		syscall.Kill(pid, sig)
	}
}

// killCookie kills what is left of a build's processes.
func killCookie(cookie string) {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		all := withCookie(cookie)
		if len(all) == 0 {
			return
		}
		for _, pid := range all {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// withCookie finds the processes that have a cookie in their environment. A zombie has none.
func withCookie(cookie string) (all []int) {
	entries, _ := os.ReadDir("/proc")
	wanted := []byte(cookieName + "=" + cookie + "\x00")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		if env, err := os.ReadFile("/proc/" + e.Name() + "/environ"); err == nil && bytes.Contains(env, wanted) {
			all = append(all, pid)
		}
	}
	return all
}
