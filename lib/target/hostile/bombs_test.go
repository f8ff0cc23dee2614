package hostile

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestBombs: a build that wants all of the host ends with the reason, and harms nobody but itself.
func TestBombs(t *testing.T) {
	h := onHost(t)
	for _, c := range readCases(t, "bombs.txt") {
		t.Run(c.name, func(t *testing.T) {
			b := h.build(t, "rootfs")
			b.env = append(b.env, c.env...)
			if c.disk != "" {
				b.mount(t, c.disk)
			}
			if c.memory && !writableCgroup() { // such hosts have no limit
				c.ends, c.never = `toaster: (failed|done): `, ""
			}
			b.script(t, "FROM devuan/devuan:daedalus\n"+c.lines)
			least := b.leastFree()
			b.run(t)
			if !regexp.MustCompile("^" + c.ends).MatchString(b.last()) {
				t.Errorf("exit %d, want %s: %s", b.code, c.ends, b.end())
			}
			if c.never != "" && strings.Contains(b.log.String(), "\n"+c.never) {
				t.Errorf("%q is in the log", c.never)
			}
			if free := least(); c.name == "reserve-of-the-disk" && free < 20<<20 {
				t.Errorf("only %d MiB stayed free", free>>20)
			}
			if b.report.Memory > 200<<10 && !c.memory {
				t.Errorf("a program of the host's took %d MiB", b.report.Memory>>10)
			}
			b.isClean(t)
			b.next(t)
		})
	}
	(&build{host: h}).checkShared(t)
}

// mount puts the build's folder on a small file system, in the mount namespace of the builds' host.
func (b *build) mount(t *testing.T, options string) {
	t.Helper()
	host := b.host.network.pid()
	_, err := sh("/", `nsenter --target "$1" --mount mount -t tmpfs -o "$2",mode=755 none "$3"`, host, options, b.dir)
	if err != nil {
		t.Fatal(err)
	}
	dir := b.dir
	t.Cleanup(func() {
		if _, err := sh("/", `nsenter --target "$1" --mount umount "$2"`, host, dir); err != nil {
			t.Error(err)
		}
	})
	b.root = "/proc/" + host + "/root"
}

// leastFree watches the file system of a build's folder until the function that it returns is called.
func (b *build) leastFree() func() int64 {
	stop, least := make(chan struct{}), make(chan int64)
	go func() {
		free := int64(1) << 62
		for {
			var st syscall.Statfs_t
			if err := syscall.Statfs(b.root+b.dir, &st); err == nil {
				free = min(free, int64(st.Bavail)*st.Bsize)
			}
			select {
			case <-stop:
				least <- free
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() int64 { close(stop); return <-least }
}

// writableCgroup: can this host limit memory at all?
func writableCgroup() bool {
	for _, dir := range []string{"/sys/fs/cgroup/memory", "/sys/fs/cgroup"} {
		if _, err := os.Stat(filepath.Join(dir, "memory.limit_in_bytes")); err != nil {
			text, _ := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
			if !strings.Contains(string(text), "memory") {
				continue
			}
		}
		made, err := os.MkdirTemp(dir, "toaster-hostile.")
		if err == nil {
			return os.Remove(made) == nil
		}
	}
	return false
}

// TestStubborn: a build that doesn't want to end is ended, however the script is stopped.
func TestStubborn(t *testing.T) {
	h := onHost(t)
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			b := h.build(t, "rootfs")
			b.script(t, "FROM devuan/devuan:daedalus\n"+
				"RUN probe stubborn daemon; trap '' HUP INT TERM; echo stubborn; while :; do sleep 1000; done\n")
			b.watch = whenSaid("stubborn", func() { b.signal(signal) })
			b.run(t)
			if signal == syscall.SIGTERM {
				if b.code != 143 || b.last() != "toaster: failed: the build was stopped." {
					t.Errorf("exit %d: %s", b.code, b.end())
				}
				b.isClean(t)
			}
			if len(b.report.Left) > 0 {
				t.Errorf("processes are left: %q", b.report.Left)
			}
			b.next(t)
		})
	}
	(&build{host: h}).checkShared(t)
}

// signal sends it to the script alone, which is what runs in its folder and has no parent there.
func (b *build) signal(signal syscall.Signal) {
	out, _ := sh("/", `for p in /proc/[0-9]*; do
		[ "$(tr '\0' ' ' <$p/cmdline 2>/dev/null)" = 'sh build.sh ' ] && [ "$(readlink $p/cwd)" = "$1" ] &&
			echo "${p#/proc/} $(cut -d ' ' -f 4 $p/stat)"
	done; :`, b.dir)
	pids := map[int]int{}
	for line := range strings.Lines(out) {
		var pid, parent int
		if n, _ := fmt.Sscan(line, &pid, &parent); n == 2 {
			pids[pid] = parent
		}
	}
	for pid, parent := range pids {
		if _, ok := pids[parent]; !ok {
			_ = syscall.Kill(pid, signal)
		}
	}
}

// TestTerminal: a script that a person runs by hand lends its terminal to no RUN.
func TestTerminal(t *testing.T) {
	h := onHost(t)
	for _, kind := range []string{"rootfs", "vm"} {
		t.Run(kind, func(t *testing.T) {
			b := h.build(t, kind)
			b.terminal = true
			lines := "RUN probe terminal ioctl\nRUN probe descriptors descriptors\n" +
				"RUN probe daemon daemon\nRUN probe gone gone\n"
			b.script(t, "FROM devuan/devuan:daedalus\n"+lines)
			b.run(t)
			b.checkVerdicts(t, lines)
			b.isClean(t)
		})
	}
}
