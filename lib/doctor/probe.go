package doctor

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"toaster.do/lib/host"
)

// probeMark begins the lines that a probe says to doctor: then come the row, ok or bad, and words.
const probeMark = "toaster-probe"

// Probe is what the RUN of the trial build starts: it tries what a hostile build would.
type Probe struct {
	Canary  string   `help:"A file of the host."`
	Closed  []string `help:"Addresses that must not answer."`
	Reach   []string `help:"Addresses that must answer."`
	Files   uint64   `help:"The most open files."`
	Threads uint64   `help:"The most processes."`
	Fill    int      `help:"MiB to write, which is more than the build may."`
}

// Try prints a line for each of the rows.
func (c Probe) Try(w io.Writer) error {
	for _, row := range []struct {
		name string
		try  func() (note string, bad error)
	}{
		{"files", c.files}, {"devices", devices}, {"processes", processes}, {"users", users}, {"rights", rightsOfRUN},
		{"kernel", kernel}, {"limits", c.limits}, {"network", c.closed}, {"outside", c.outside}, {"disk", c.disk},
	} {
		note, bad := row.try()
		verdict := "ok"
		if bad != nil {
			verdict, note = "bad", bad.Error()
		}
		if _, err := fmt.Fprintf(w, "%s %s %s %s\n", probeMark, row.name, verdict,
			strings.ReplaceAll(note, "\n", " ")); err != nil {
			return err
		}
	}
	return nil
}

func (c Probe) files() (string, error) {
	for _, path := range []string{c.Canary, "/proc/1/root" + c.Canary, "/../.." + c.Canary,
		"/proc/1/cwd/../.." + c.Canary} {
		if _, err := os.Stat(path); err == nil {
			return "", fmt.Errorf("a build can see %s of this host", path)
		}
	}
	return "a build sees the files of the image, and none of this host", nil
}

// usualDevices are what every container has.
var usualDevices = map[string]bool{
	"null":    true,
	"zero":    true,
	"full":    true,
	"random":  true,
	"urandom": true,
	"tty":     true,
	"console": true,
	"ptmx":    true,
	"0":       true,
}

func devices() (string, error) {
	for _, dir := range []string{"/", "/dev", "/dev/shm"} {
		for kind, number := range map[uint32]uint64{unix.S_IFBLK: unix.Mkdev(7, 0), unix.S_IFCHR: unix.Mkdev(1, 1)} {
			path := filepath.Join(dir, fmt.Sprintf("device-%d", kind))
			if unix.Mknod(path, kind|0o600, int(number)) == nil {
				os.Remove(path)
				return "", fmt.Errorf("a build can create devices in %s", dir)
			}
		}
	}
	err := filepath.WalkDir("/dev", func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type()&os.ModeDevice != 0 && (e.Type()&os.ModeCharDevice == 0 || !usualDevices[e.Name()]) {
			return fmt.Errorf("a build has the device %s", path)
		}
		return nil
	})
	return "only null, zero, full, random and its own terminals; it can't create others", err
}

func processes() (string, error) {
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return "", err
	}
	if os.Getpid() != 1 || len(all) != 1 {
		return "", fmt.Errorf("a build sees %d processes of others", len(all)-1)
	}
	return "a build sees only its own", nil
}

func users() (string, error) {
	text, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return "", err
	}
	var first, inside, outside, count, all int
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if _, err := fmt.Sscan(line, &inside, &outside, &count); err != nil {
			return "", err
		}
		if i == 0 {
			first = outside
		}
		all += count
	}
	switch {
	case first == 0:
		return "", errors.New("root in a build is root on this host")
	case all < host.IDsOfABuild:
		return "", fmt.Errorf("a build has %d user IDs, which is less than %d", all, host.IDsOfABuild)
	}
	return fmt.Sprintf("root in a build is the unprivileged user %d on this host", first), nil
}

// dockers are Docker's capabilities, as bits.
const dockers = 0xa80425fb

func rightsOfRUN() (string, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "", err
	}
	var seccomp, bounding uint64
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "Seccomp":
			fmt.Sscan(value, &seccomp)
		case "CapBnd":
			fmt.Sscanf(strings.TrimSpace(value), "%x", &bounding)
		}
	}
	if seccomp != 2 {
		return "", errors.New("no seccomp filter: a build can make any system call")
	}
	if bounding&^dockers != 0 {
		return "", fmt.Errorf("a build has capabilities beyond Docker's: %x", bounding&^dockers)
	}
	for name, call := range map[string][2]uintptr{
		"unshare": {unix.SYS_UNSHARE, unix.CLONE_NEWUSER}, "bpf": {unix.SYS_BPF, 0}, "keyctl": {unix.SYS_KEYCTL, 0},
		"userfaultfd": {unix.SYS_USERFAULTFD, 0}, "perf_event_open": {unix.SYS_PERF_EVENT_OPEN, 0},
		"kexec_load":    {unix.SYS_KEXEC_LOAD, 0},
		"clock_settime": {unix.SYS_CLOCK_SETTIME, 0}, "init_module": {unix.SYS_INIT_MODULE, 0},
		"setns": {unix.SYS_SETNS, 0},
	} {
		_, _, errno := syscall.RawSyscall6(call[0], call[1], 0, 0, 0, 0, 0)
		if errno != unix.EPERM && errno != unix.ENOSYS {
			return "", fmt.Errorf("the seccomp filter allows %s (%v)", name, errno)
		}
	}
	return "Docker's seccomp filter, and no capabilities beyond Docker's", nil
}

func kernel() (string, error) {
	for _, path := range []string{"/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/kernel/uevent_helper",
		"/sys/power/state", "/proc/sys/vm/drop_caches"} {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil {
			f.Close()
			return "", fmt.Errorf("a build can write %s", path)
		}
	}
	for _, path := range []string{"/proc/kcore", "/proc/keys", "/proc/timer_list"} {
		if f, err := os.Open(path); err == nil {
			n, _ := f.Read(make([]byte, 1))
			f.Close()
			if n > 0 {
				return "", fmt.Errorf("a build can read %s", path)
			}
		}
	}
	return "/proc/sys, /sys and the paths that Docker hides are not accessible", nil
}

func (c Probe) limits() (string, error) {
	for what, limit := range map[string]struct {
		which int
		most  uint64
	}{"open files": {unix.RLIMIT_NOFILE, c.Files}, "processes": {unix.RLIMIT_NPROC, c.Threads}} {
		var has unix.Rlimit
		if err := unix.Getrlimit(limit.which, &has); err != nil {
			return "", err
		}
		if has.Max > limit.most {
			return "", fmt.Errorf("a build can have %d %s, but [sandbox] allows %d", has.Max, what, limit.most)
		}
	}
	return fmt.Sprintf("%d open files, %d processes", c.Files, c.Threads), nil
}

func (c Probe) closed() (string, error) {
	for _, address := range c.Closed {
		if conn, err := net.DialTimeout("tcp", address, 2*time.Second); err == nil {
			conn.Close()
			return "", fmt.Errorf("a build can reach %s", address)
		}
	}
	return "the addresses of this host, its loopback and private networks can't be reached", nil
}

func (c Probe) outside() (string, error) {
	for _, address := range c.Reach {
		conn, err := net.DialTimeout("tcp", address, 10*time.Second)
		if err != nil {
			return "", fmt.Errorf("a build can't reach %s, but this host can: %w", address, err)
		}
		conn.Close()
	}
	return "a build reaches " + strings.Join(c.Reach, ", "), nil
}

// disk is ended by the build's script before it returns.
func (c Probe) disk() (string, error) {
	f, err := os.Create("/fill")
	if err != nil {
		return "", err
	}
	block := make([]byte, 1<<20)
	for range c.Fill {
		if _, err := f.Write(block); err != nil {
			return "", err
		}
	}
	time.Sleep(10 * time.Second)
	return "", fmt.Errorf("a build used %d MiB of the disk, and was not stopped", c.Fill)
}
