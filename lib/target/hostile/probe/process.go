package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// docker is the set of capabilities that a container gets by default.
const docker = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_FSETID | 1<<unix.CAP_FOWNER |
	1<<unix.CAP_MKNOD | 1<<unix.CAP_NET_RAW | 1<<unix.CAP_SETGID | 1<<unix.CAP_SETUID |
	1<<unix.CAP_SETFCAP | 1<<unix.CAP_SETPCAP |
	1<<unix.CAP_NET_BIND_SERVICE | 1<<unix.CAP_SYS_CHROOT | 1<<unix.CAP_KILL | 1<<unix.CAP_AUDIT_WRITE

// status returns a field of /proc/PID/status.
func status(pid, field string) string {
	text, _ := os.ReadFile("/proc/" + pid + "/status")
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func capabilities(t *trial, _ []string) {
	for _, field := range []string{"CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"} {
		set, err := strconv.ParseUint(status("self", field), 16, 64)
		t.must(err == nil && set&^docker == 0, "%s is %x, more than Docker's %x", field, set, uint64(docker))
	}
}

func seccomp(t *trial, _ []string) {
	t.must(status("self", "Seccomp") == "2", "no system call is filtered: Seccomp is %s", status("self", "Seccomp"))
}

// ids: 0 is somebody else on the host, and so are the 65535 users after it.
func ids(t *trial, _ []string) {
	for _, name := range []string{"uid_map", "gid_map"} {
		text, err := os.ReadFile("/proc/self/" + name)
		var inside, outside, count uint64
		n, _ := fmt.Sscan(string(text), &inside, &outside, &count)
		t.must(err == nil && n == 3 && inside == 0 && outside >= 65536 && count == 65536, "%s is %q", name, text)
	}
	t.must(os.Getuid() == 0, "a RUN is not root in the image")
	for _, id := range []int{0, 1, 1000, 65534} {
		path := filepath.Join("/tmp", "owned-by-"+strconv.Itoa(id))
		err := os.WriteFile(path, nil, 0o600)
		if err == nil {
			err = os.Chown(path, id, id)
		}
		t.must(err == nil, "user %d can't own a file: %v", id, err)
		os.Remove(path)
	}
}

// processes: a RUN sees nobody's but its own, and can trace no other.
func processes(t *trial, _ []string) {
	mine := map[int]bool{}
	for pid := os.Getpid(); pid > 0; {
		mine[pid] = true
		pid, _ = strconv.Atoi(status(strconv.Itoa(pid), "PPid"))
	}
	t.must(mine[1], "process 1 is not the RUN's")
	found, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range found {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		if mine[pid] {
			continue
		}
		line, err := os.ReadFile(dir + "/cmdline")
		t.must(err != nil, "process %d is seen: %q", pid, line)
		err = unix.PtraceSeize(pid)
		t.refused(err, "process %d can be traced", pid)
		local := make([]byte, 8)
		from := []unix.RemoteIovec{{Base: 0x400000, Len: 8}}
		_, err = unix.ProcessVMReadv(pid, []unix.Iovec{{Base: &local[0], Len: 8}}, from, 0)
		t.must(err != nil, "the memory of process %d can be read", pid)
	}
}

// daemon leaves a process that nothing but a SIGKILL ends, and that holds the RUN's output open. gone looks
// for it later.
func daemon(t *trial, _ []string) {
	for range 3 {
		cmd := self("linger", "toaster-canary-daemon")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			fatal(err)
		}
	}
	time.Sleep(200 * time.Millisecond)
	t.must(true, "")
}

// self is this program once more, also where it is replaced or can't be named.
func self(args ...string) *exec.Cmd {
	return &exec.Cmd{Path: "/proc/self/exe", Args: append([]string{"probe"}, args...)}
}

func linger([]string) {
	signal.Ignore()
	time.Sleep(10 * time.Minute)
}

func gone(t *trial, _ []string) {
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range found {
		line, _ := os.ReadFile(path)
		t.must(!strings.Contains(string(line), "linger"), "%s of an earlier RUN lives on", path)
	}
}

// forks: the build may have so many processes.
func forks(t *trial, _ []string) {
	var children []*exec.Cmd
	var failed error
	input, hold, err := os.Pipe()
	if err != nil {
		fatal(err)
	}
	for len(children) < facts.Processes+50 {
		cmd := exec.Command("/bin/busybox", "cat")
		cmd.Stdin = input
		if failed = cmd.Start(); failed != nil {
			break
		}
		children = append(children, cmd)
	}
	hold.Close()
	for _, cmd := range children {
		_ = cmd.Wait()
	}
	t.must(errors.Is(failed, unix.EAGAIN), "%d processes were started: %v", len(children), failed)
}

// files: a process may have so many open files.
func files(t *trial, _ []string) {
	var limit unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		fatal(err)
	}
	t.must(limit.Max <= uint64(facts.Files), "%d files can be open, more than %d", limit.Max, facts.Files)
	more := unix.Rlimit{Cur: limit.Max + 1, Max: limit.Max + 1}
	t.refused(unix.Prlimit(0, unix.RLIMIT_NOFILE, &more, nil), "the limit can be raised")
}

// fails: a command must not work. works: it must.
func fails(t *trial, args []string) {
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	t.refused(err, "%s works: %s", strings.Join(args, " "), out)
}

func works(t *trial, args []string) {
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	t.must(err == nil, "%s: %v: %s", strings.Join(args, " "), err, out)
}

// privileged leaves programs that make root of whoever runs them, if the host takes them at their word; and
// time to try.
func privileged(t *trial, _ []string) {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		fatal(err)
	}
	// vfs_cap_data, revision 2, effective: all
	all := []byte{1, 0, 0, 2, 255, 255, 255, 255, 0, 0, 0, 0, 255, 1, 0, 0, 0, 0, 0, 0}
	for dir, leave := range map[string]func(string) error{
		"/usr/local/setuid": func(path string) error { return os.Chmod(path, 0o755|os.ModeSetuid|os.ModeSetgid) },
		"/usr/local/caps":   func(path string) error { return unix.Setxattr(path, "security.capability", all, 0) },
	} {
		path := dir + "/privileged-canary"
		err := os.MkdirAll(dir, 0o755)
		if err == nil {
			err = os.WriteFile(path, self, 0o755)
		}
		if err == nil {
			err = leave(path)
		}
		if err != nil {
			fatal(err)
		}
	}
	fmt.Println("privileged programs are there")
	time.Sleep(3 * time.Second)
	t.must(true, "")
}

// whoami says what its user became by running it.
func whoami([]string) { fmt.Printf("uid %d caps %s\n", os.Geteuid(), status("self", "CapEff")) }

// trap is a program of the image that was replaced. Run by the host's root, in a chroot or as itself, it
// leaves a file in the host's canary; then it does what busybox does.
func trap(name string) {
	text, _ := os.ReadFile("/trap.dir")
	dirs := []string{string(text), "/proc/1/root" + string(text)}
	leave := func() {
		for _, dir := range dirs {
			if _, err := os.Stat(dir); err == nil {
				_ = os.WriteFile(dir+"/trap-"+name, []byte(status("self", "CapEff")), 0o644)
			}
		}
	}
	leave()
	root, err := os.Open("/")
	if err == nil && unix.Mkdir("/.trap", 0o755) == nil {
		if unix.Chroot("/.trap") == nil {
			for range 64 {
				unix.Chdir("..")
			}
			if unix.Chroot(".") == nil {
				leave()
			}
			_ = unix.Fchdir(int(root.Fd()))
			_ = unix.Chroot(".")
		}
		os.Remove("/.trap")
	}
	if list, _ := exec.Command("/bin/busybox", "--list").Output(); strings.Contains("\n"+string(list), "\n"+name+"\n") {
		_ = unix.Exec("/bin/busybox", append([]string{name}, os.Args[1:]...), os.Environ())
	}
}
