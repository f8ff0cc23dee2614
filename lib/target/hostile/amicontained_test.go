package hostile

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestAmicontained looks at the sandbox through somebody else's eyes: github.com/genuinetools/amicontained, in a RUN.
func TestAmicontained(t *testing.T) {
	h := onHost(t)
	b := h.build(t, "rootfs")
	b.addProgram(t, func(path string) error { return amicontained(t, path+"/amicontained") })
	b.script(t, "FROM devuan/devuan:daedalus\n"+
		// It tries sync(2), too, which a busy disk keeps long; its end, a look through all of /sys, is not waited for.
		"RUN amicontained >/said & for n in $(seq 2000); do grep -q Looking /said && break; sleep 0.3; done; cat /said\n")
	b.run(t)
	if b.code != 0 {
		t.Fatalf("exit %d: %s", b.code, b.end())
	}
	said := b.log.String()
	t.Log(said)
	for _, want := range []string{
		`(?m)^\s+pid: true$`,
		`(?m)^\s+user: true$`,
		`(?m)^\s+Container -> 0\s+Host -> 1[5-9][0-9]{8}\s+Range -> 65536$`,
		`(?m)^Seccomp: filtering$`,
		`(?m)^\s+BOUNDING -> ` + docker + `$`,
	} {
		if !regexp.MustCompile(want).MatchString(said) {
			t.Errorf("amicontained does not say %s", want)
		}
	}
	_, list, _ := strings.Cut(said, "Blocked Syscalls")
	list, _, _ = strings.Cut(list, "Looking for")
	blocked := strings.Fields(list)
	for _, want := range strings.Fields(refused) {
		if !slices.Contains(blocked, want) {
			t.Errorf("%s is not blocked", want)
		}
	}
}

// refused is what Docker's profile refuses, of the system calls that amicontained 0.4.9 tries.
const refused = `ACCT ADD_KEY BPF CLOCK_SETTIME DELETE_MODULE FANOTIFY_INIT FINIT_MODULE INIT_MODULE IOPERM IOPL
	KEXEC_FILE_LOAD KEXEC_LOAD KEYCTL LOOKUP_DCOOKIE MBIND MIGRATE_PAGES MOUNT MOVE_PAGES OPEN_BY_HANDLE_AT PERF_EVENT_OPEN
	PIVOT_ROOT QUOTACTL REBOOT REQUEST_KEY SETDOMAINNAME SETHOSTNAME SETNS SETTIMEOFDAY SWAPOFF SWAPON SYSLOG UMOUNT2
	UNSHARE USELIB USERFAULTFD USTAT VHANGUP`

// docker is the set of capabilities that a container has by default.
const docker = "chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw sys_chroot " +
	"mknod audit_write setfcap"

// amicontained compiles it, in a module of its own, so that it is none of toaster's.
func amicontained(t *testing.T, to string) error {
	t.Helper()
	dir := t.TempDir()
	mod := "module eyes\n\ngo 1.21\n\nrequire github.com/genuinetools/amicontained v0.4.9\n"
	if err := write(filepath.Join(dir, "go.mod"), mod, 0o644); err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", to, "github.com/genuinetools/amicontained")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		lack(t, "amicontained can't be built: "+err.Error()+"\n"+string(out))
	}
	return nil
}
