package jenkinstest

import (
	"bytes"
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

var errStopped, errGone = errors.New("stopped"), errors.New("gone")

// shell runs one shell step: with -xe, unless it begins with "#!".
func (s *Server) shell(b *run, command, workspace string) error {
	command = strings.ReplaceAll(command, "\r\n", "\n")
	script, err := s.scriptFile(command)
	if err != nil {
		return err
	}
	defer os.Remove(script)
	args := []string{"/bin/sh", "-xe", script}
	if first, _, _ := strings.Cut(command, "\n"); strings.HasPrefix(first, "#!") {
		args = append(strings.Fields(first[2:]), script)
	}
	b.log.say("[" + filepath.Base(workspace) + "] $ " + strings.Join(args, " "))
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = workspace, s.environment(b, workspace)
	cmd.Stdout, cmd.Stderr = b.log.file, b.log.file
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		return err
	case <-b.gone:
		return errGone
	case <-b.stop:
	}
	signalGroup(cmd.Process.Pid, b.cookie, syscall.SIGTERM)
	select {
	case <-done:
	case <-time.After(s.grace()):
		signalGroup(cmd.Process.Pid, b.cookie, syscall.SIGKILL)
		<-done
	}
	return errStopped
}

// grace is how long a build has after SIGTERM: none when all ends.
func (s *Server) grace() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0
	}
	return s.opt.Grace
}

func (s *Server) scriptFile(command string) (string, error) {
	s.mu.Lock()
	s.scripts++
	n := s.scripts
	s.mu.Unlock()
	path := filepath.Join(s.home, fmt.Sprintf("jenkins%d.sh", n))
	return path, os.WriteFile(path, []byte(command), 0o600)
}

func (s *Server) environment(b *run, workspace string) []string {
	url := strings.TrimSuffix(s.opt.RootURL, "/") + "/"
	env := os.Environ()
	for _, kv := range [][2]string{
		{cookieName, b.cookie}, {"JENKINS_SERVER_COOKIE", b.cookie[:16]}, {"JENKINS_HOME", s.home}, {"JENKINS_URL", url}, {"HUDSON_URL", url},
		{"BUILD_NUMBER", strconv.Itoa(b.number)}, {"BUILD_ID", strconv.Itoa(b.number)}, {"BUILD_DISPLAY_NAME", "#" + strconv.Itoa(b.number)},
		{"BUILD_TAG", fmt.Sprintf("jenkins-%s-%d", filepath.Base(workspace), b.number)}, {"BUILD_URL", url + "job/" + escape(filepath.Base(workspace)) + "/" + strconv.Itoa(b.number) + "/"},
		{"JOB_NAME", filepath.Base(workspace)}, {"JOB_BASE_NAME", filepath.Base(workspace)}, {"JOB_URL", url + "job/" + escape(filepath.Base(workspace)) + "/"},
		{"WORKSPACE", workspace}, {"EXECUTOR_NUMBER", strconv.Itoa(b.slot)}, {"NODE_NAME", b.node.Name}, {"NODE_LABELS", strings.Join(slices.Concat(b.node.Labels, []string{b.node.Name}), " ")},
	} {
		env = append(env, kv[0]+"="+kv[1])
	}
	return env
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
