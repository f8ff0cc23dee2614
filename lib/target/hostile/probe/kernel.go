package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

type call struct {
	name string
	nr   uintptr
	args [5]uintptr
}

// syscalls: what Docker's seccomp profile refuses is refused before the kernel looks at the arguments. These
// would do no harm.
func syscalls(t *trial, _ []string) {
	now := unix.NsecToTimespec(time.Now().UnixNano())
	name := []byte("name")
	none := uintptr(0)
	all := ^uintptr(0)
	for _, c := range append(ports, []call{
		{"acct", unix.SYS_ACCT, [5]uintptr{all}},
		{"add_key", unix.SYS_ADD_KEY, [5]uintptr{}},
		{"bpf", unix.SYS_BPF, [5]uintptr{}},
		{"clock_settime", unix.SYS_CLOCK_SETTIME, [5]uintptr{unix.CLOCK_REALTIME, pointer(&now)}},
		{"delete_module", unix.SYS_DELETE_MODULE, [5]uintptr{pointer(&name[0])}},
		{"fanotify_init", unix.SYS_FANOTIFY_INIT, [5]uintptr{unix.FAN_REPORT_FID}},
		{"finit_module", unix.SYS_FINIT_MODULE, [5]uintptr{all}},
		{"fsopen", unix.SYS_FSOPEN, [5]uintptr{}},
		{"fspick", unix.SYS_FSPICK, [5]uintptr{all}},
		{"init_module", unix.SYS_INIT_MODULE, [5]uintptr{}},
		{"io_uring_setup", unix.SYS_IO_URING_SETUP, [5]uintptr{}},
		{"kexec_load", unix.SYS_KEXEC_LOAD, [5]uintptr{0, 0, 0, all}},
		{"keyctl", unix.SYS_KEYCTL, [5]uintptr{}},
		{"lookup_dcookie", unix.SYS_LOOKUP_DCOOKIE, [5]uintptr{}},
		{"mount", unix.SYS_MOUNT, [5]uintptr{}},
		{"mount_setattr", unix.SYS_MOUNT_SETATTR, [5]uintptr{all}},
		{"move_mount", unix.SYS_MOVE_MOUNT, [5]uintptr{all, none, all}},
		{"open_by_handle_at", unix.SYS_OPEN_BY_HANDLE_AT, [5]uintptr{all}},
		{"open_tree", unix.SYS_OPEN_TREE, [5]uintptr{all, none, unix.OPEN_TREE_CLONE}},
		{"perf_event_open", unix.SYS_PERF_EVENT_OPEN, [5]uintptr{}},
		{"personality", unix.SYS_PERSONALITY, [5]uintptr{0x0040000}},
		{"pivot_root", unix.SYS_PIVOT_ROOT, [5]uintptr{}},
		{"quotactl", unix.SYS_QUOTACTL, [5]uintptr{}},
		{"reboot", unix.SYS_REBOOT, [5]uintptr{}},
		{"request_key", unix.SYS_REQUEST_KEY, [5]uintptr{}},
		{"sethostname", unix.SYS_SETHOSTNAME, [5]uintptr{0, all}},
		{"setdomainname", unix.SYS_SETDOMAINNAME, [5]uintptr{0, all}},
		{"setns", unix.SYS_SETNS, [5]uintptr{all}},
		{"swapoff", unix.SYS_SWAPOFF, [5]uintptr{}},
		{"swapon", unix.SYS_SWAPON, [5]uintptr{}},
		{"syslog", unix.SYS_SYSLOG, [5]uintptr{10}},
		{"umount2", unix.SYS_UMOUNT2, [5]uintptr{}},
		{"unshare user", unix.SYS_UNSHARE, [5]uintptr{unix.CLONE_NEWUSER}},
		{"unshare net", unix.SYS_UNSHARE, [5]uintptr{unix.CLONE_NEWNET}},
		{"userfaultfd", unix.SYS_USERFAULTFD, [5]uintptr{1}}, // UFFD_USER_MODE_ONLY
	}...) {
		_, _, errno := syscall.RawSyscall6(c.nr, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4], 0)
		t.must(denied(errno), "%s is not refused: %v", c.name, errno)
	}
}

func denied(err error) bool {
	return errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EACCES)
}

func pointer[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// keys: the keyrings of root on the host are not those of a RUN.
func keys(t *trial, _ []string) {
	buf := make([]byte, 256)
	n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, int(facts.Key), buf, 0)
	t.must(err != nil || !bytes.Contains(buf[:min(n, len(buf))], facts.Secret), "a key of root's was read")
	for _, ring := range []int{
		unix.KEY_SPEC_USER_KEYRING, unix.KEY_SPEC_USER_SESSION_KEYRING, unix.KEY_SPEC_SESSION_KEYRING,
	} {
		_, err := unix.KeyctlSearch(ring, "user", "toaster-canary", 0)
		t.refused(err, "keyring %d has the key of root's", ring)
	}
	_, err = unix.RequestKey("user", "toaster-canary", "", 0)
	t.refused(err, "request_key found the key of root's")
	_, err = unix.AddKey("user", "toaster-planted", []byte("x"), unix.KEY_SPEC_USER_KEYRING)
	t.refused(err, "a key was added")
}

// newUser: a namespace of its own would give a RUN every capability, and the kernel's least tried code.
func newUser(t *trial, _ []string) {
	for name, flags := range map[string]uintptr{
		"user": unix.CLONE_NEWUSER, "user and mount": unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		"user and net": unix.CLONE_NEWUSER | unix.CLONE_NEWNET,
		"mount":        unix.CLONE_NEWNS, "net": unix.CLONE_NEWNET, "pid": unix.CLONE_NEWPID, "cgroup": unix.CLONE_NEWCGROUP,
	} {
		cmd := self("nothing")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
		err := cmd.Run()
		t.must(denied(err), "clone is not refused a namespace: %s: %v", name, err)
		cmd = self("nothing")
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: flags}
		err = cmd.Run()
		t.must(denied(err), "unshare is not refused a namespace: %s: %v", name, err)
	}
	var args [11]uint64 // struct clone_args, of which flags are the first and the exit signal the fifth
	args[0], args[4] = unix.CLONE_NEWUSER, uint64(unix.SIGCHLD)
	pid, _, errno := syscall.RawSyscall(unix.SYS_CLONE3, pointer(&args), unsafe.Sizeof(args), 0)
	if errno == 0 && pid == 0 {
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
	t.must(denied(errno), "clone3 is not refused a user namespace: %v", errno)
}

// namespaces: none of them is the host's.
func namespaces(t *trial, _ []string) {
	for name, host := range facts.Namespaces {
		mine, err := os.Readlink("/proc/self/ns/" + name)
		t.must(err == nil && mine != host, "the namespace %s is the host's", name)
	}
}

// mounts: nothing can be mounted, unmounted or made writable.
func mounts(t *trial, _ []string) {
	if err := os.MkdirAll("/tmp/mounts/old", 0o755); err != nil {
		fatal(err)
	}
	for _, kind := range strings.Fields("tmpfs proc sysfs devtmpfs devpts cgroup cgroup2 mqueue binfmt_misc bpf overlay") {
		t.refused(unix.Mount("none", "/tmp/mounts", kind, 0, ""), "%s can be mounted", kind)
	}
	t.refused(unix.Mount("/", "/tmp/mounts", "", unix.MS_BIND|unix.MS_REC, ""), "a bind mount can be made")
	for _, path := range []string{"/", "/proc", "/proc/sys", "/sys", "/dev", "/dev/shm", "/dev/pts", "/etc/resolv.conf"} {
		t.refused(unix.Mount("", path, "", unix.MS_REMOUNT|unix.MS_BIND, ""), "%s can be remounted", path)
		t.refused(unix.Mount("", path, "", unix.MS_SHARED|unix.MS_REC, ""), "%s can be shared", path)
		t.refused(unix.Unmount(path, unix.MNT_DETACH), "%s can be unmounted", path)
	}
	t.refused(unix.PivotRoot("/tmp/mounts", "/tmp/mounts/old"), "/ can be moved")
	t.refused(unix.MoveMount(unix.AT_FDCWD, "/proc", unix.AT_FDCWD, "/tmp/mounts", 0), "/proc can be moved")
	for _, name := range []string{"mnt", "pid", "net", "user", "uts", "ipc", "cgroup"} {
		fd, err := unix.Open("/proc/1/ns/"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			t.refused(unix.Setns(fd, 0), "the namespace %s of process 1 can be joined", name)
			unix.Close(fd)
		}
	}
}

// times: neither the clock nor the host's name can be set. They are set to what they are.
func times(t *trial, _ []string) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &now); err != nil {
		fatal(err)
	}
	t.refused(unix.ClockSettime(unix.CLOCK_REALTIME, &now), "clock_settime works")
	tv := unix.NsecToTimeval(now.Nano())
	t.refused(unix.Settimeofday(&tv), "settimeofday works")
	var tx unix.Timex
	_, err := unix.Adjtimex(&tx)
	tx.Modes = unix.ADJ_STATUS
	if err == nil {
		_, err = unix.Adjtimex(&tx)
	}
	t.refused(err, "adjtimex works")
	name, _ := os.Hostname()
	t.refused(unix.Sethostname([]byte(name)), "sethostname works")
	t.refused(unix.Setpriority(unix.PRIO_PROCESS, 0, -20), "a process can put itself first")
	first := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}
	t.refused(unix.SchedSetAttr(0, &first, 0), "a real-time process can be made")
}

// ipc: shared memory of the host is not that of a RUN.
func ipc(t *trial, _ []string) {
	id, _, errno := syscall.RawSyscall(unix.SYS_SHMGET, uintptr(facts.Segment), 0, 0)
	t.must(errno != 0, "shared memory %d of the host is there", id)
	files, _ := os.ReadDir("/dev/shm")
	for _, f := range files {
		t.must(false, "/dev/shm has %s", f.Name())
	}
	for _, pid := range []int{facts.Process, os.Getppid() + 1<<20} {
		err := unix.Kill(pid, 0)
		t.must(errors.Is(err, unix.ESRCH), "process %d of the host can be signalled: %v", pid, err)
	}
}

// terminal: a RUN has no terminal, in which it could type.
func terminal(t *trial, _ []string) {
	t.must(true, "")
	if fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_CLOEXEC, 0); err == nil {
		typed := byte('#')
		_, _, errno := syscall.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCSTI, pointer(&typed))
		t.must(false, "/dev/tty is the host's terminal; typing: %v", errno)
	}
	for fd := range 3 {
		_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		t.refused(err, "descriptor %d is a terminal", fd)
	}
	sid, err := unix.Getsid(0)
	t.must(err == nil && sid != 0, "the session is the host's")
}

func handle(args []string) {
	h, _, err := unix.NameToHandleAt(unix.AT_FDCWD, args[0], 0)
	if err != nil {
		fatal(err)
	}
	fmt.Printf("%d %x\n", h.Type(), h.Bytes())
}

// key adds a key with the secret to root's keyring, or removes it.
func key(args []string) {
	if args[0] == "drop" {
		id, err := unix.KeyctlSearch(unix.KEY_SPEC_USER_KEYRING, "user", "toaster-canary", 0)
		if err == nil {
			_, err = unix.KeyctlInt(unix.KEYCTL_UNLINK, id, unix.KEY_SPEC_USER_KEYRING, 0, 0)
		}
		if err != nil {
			fatal(err)
		}
		return
	}
	id, err := unix.AddKey("user", "toaster-canary", []byte(args[0]), unix.KEY_SPEC_USER_KEYRING)
	if err == nil { // for its user: to see, read and search
		err = unix.KeyctlSetperm(id, 0x3f3f0000)
	}
	if err != nil {
		fatal(err)
	}
	fmt.Println(id)
}

// segment holds a System V shared memory segment until its input ends.
func segment(args []string) {
	var number int
	fmt.Sscan(args[0], &number)
	id, err := unix.SysvShmGet(number, 4096, unix.IPC_CREAT|0o666)
	if err != nil {
		fatal(err)
	}
	fmt.Println(id)
	os.Stdin.Read(make([]byte, 1))
	unix.SysvShmCtl(id, unix.IPC_RMID, nil)
}
