package hostile

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// host is what hostile builds must not reach: a folder, a loop device, a key, shared memory, sockets, addresses.
type host struct {
	dir, base, tools, probe string
	facts                   Facts
	secret                  string
	loop                    string
	disk                    *os.File
	network                 *network
	helpers                 []*exec.Cmd
	before                  map[string]string
}

func newHost() (err error) {
	dir, err := os.MkdirTemp("", "toaster-hostile.")
	if err != nil {
		return err
	}
	random := make([]byte, 16)
	_, _ = rand.Read(random)
	h := &host{dir: dir, base: filepath.Join(dir, "base"), tools: filepath.Join(dir, "tools")}
	h.secret = "toaster-secret-" + hex.EncodeToString(random)
	theHost = h
	h.probe = filepath.Join(h.base, "usr/bin/probe")
	h.facts = Facts{Canary: filepath.Join(dir, "canary"), Shared: filepath.Join(dir, "shared"), Secret: []byte(h.secret),
		Password: []byte("password-" + h.secret), Segment: 0x70a57e4,
		Abstract: filepath.Base(dir), Processes: 300, Files: 1000}
	err = cmp.Or(os.Chmod(dir, 0o755), h.makeBase(), os.Mkdir(h.facts.Shared, 0o777), os.Chmod(h.facts.Shared, 0o777),
		makeCanary(h.facts.Canary, h.secret), h.makeLoop(), h.makeKernelCanaries())
	if err != nil {
		return err
	}
	if h.network, err = newNetwork(h); err != nil {
		return err
	}
	h.facts.Process = h.network.host.Process.Pid
	h.facts.Namespaces = map[string]string{}
	for _, name := range []string{"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"} {
		if h.facts.Namespaces[name], err = os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", h.facts.Process, name)); err != nil {
			return err
		}
	}
	text, err := json.Marshal(h.facts)
	if err != nil {
		return err
	}
	err = cmp.Or(write(filepath.Join(h.base, "probe.json"), string(text), 0o644), makeTools(h.tools, h.base))
	h.before = h.state()
	return err
}

// makeBase compiles probe into the base.
func (h *host) makeBase() error {
	_, err := script("testdata/base.sh", h.base)
	return cmp.Or(err, program(h.probe, "./probe"))
}

// makeTools puts a mmdebstrap and a debootstrap in the way that make a root file system in a moment, by
// unpacking the base; as who they run as is not the base's owner, from an archive.
func makeTools(tools, base string) error {
	const text = `#!/bin/sh
set -e
[ "$1" != --version ] || exec echo "%s 0"
root=
for one; do case $one in /*) root=$one ;; esac; done
[ "${0##*/}" = mmdebstrap ] || for one; do case $one in http:*) ;; /*) root=$one ;; esac; done
mkdir -p "$root"
tar -C "$root" --same-owner -xpf '%s.tar'
`
	_, err := sh("/", `tar -C "$1" -cf "$1.tar" .`, base)
	return cmp.Or(err, write(filepath.Join(tools, "mkfs.vfat"), "#!/bin/sh\nexit 1\n", 0o755), // the board has no FAT
		write(filepath.Join(tools, "mmdebstrap"), fmt.Sprintf(text, "mmdebstrap", base), 0o755),
		write(filepath.Join(tools, "debootstrap"), fmt.Sprintf(text, "debootstrap", base), 0o755))
}

func makeCanary(dir, secret string) error {
	_, err := script("testdata/canary.sh", dir, secret, nameServer)
	return err
}

// makeLoop is a block device of the host that begins with the secret.
func (h *host) makeLoop() error {
	file := filepath.Join(h.dir, "disk")
	err := os.WriteFile(file, []byte(h.secret), 0o600)
	if err == nil {
		err = os.Truncate(file, 1<<20)
	}
	if err == nil {
		h.loop, err = sh("/", `losetup --find --show "$1"`, file)
	}
	var st syscall.Stat_t
	if err = cmp.Or(err, syscall.Stat(h.loop, &st)); err != nil {
		return err
	}
	h.facts.Loop = int(st.Rdev & 0xff)
	if h.disk, err = os.Open(h.loop); err == nil { // it goes with the last who has it open
		_, err = sh("/", `losetup --detach "$1"`, h.loop)
	}
	if err != nil {
		return err
	}
	err = syscall.Stat("/", &st)
	h.facts.Disk = [2]int{int(st.Dev >> 8 & 0xfff), int(st.Dev & 0xff)}
	return err
}

// makeKernelCanaries: a key, shared memory, and a file's handle.
func (h *host) makeKernelCanaries() error {
	out, err := sh("/", `"$1" handle "$2"`, h.probe, filepath.Join(h.facts.Canary, "secret"))
	if err != nil {
		return err
	}
	if _, err := fmt.Sscanf(out, "%d %x", &h.facts.HandleType, &h.facts.Handle); err != nil {
		return fmt.Errorf("%q: %w", out, err)
	}
	if out, err = sh("/", `"$1" key "$2"`, h.probe, h.secret); err != nil {
		return err
	}
	if _, err = fmt.Sscan(out, &h.facts.Key); err != nil {
		return err
	}
	holder := exec.Command(h.probe, "segment", fmt.Sprint(h.facts.Segment))
	if _, err := holder.StdinPipe(); err != nil {
		return err
	}
	h.helpers = append(h.helpers, holder)
	return holder.Start()
}

// state is all of the host that no build may change.
func (h *host) state() map[string]string {
	state := fingerprint(h.facts.Canary)
	for name, script := range map[string]string{
		"loop device": `head -c 200 "$LOOP" | sha256sum`,
		"shared":      `ls -A "$SHARED"`,
		"host name":   `cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname`,
		"kernel":      `cd /proc/sys && head -n 9 kernel/core_pattern kernel/modprobe vm/overcommit_memory fs/suid_dumpable`,
		"binfmt_misc": `ls /proc/sys/fs/binfmt_misc`,
		"modules":     `cut -d ' ' -f 1 /proc/modules 2>/dev/null | sort || :`,
		"/etc": `cd /etc && ls -l --full-time passwd shadow group hosts hostname resolv.conf ld.so.preload 2>/dev/null
			ls apt/apt.conf.d apt/sources.list.d init.d cron.d`,
		"policy-rc.d":  `ls -l /usr/sbin/policy-rc.d /sbin/policy-rc.d 2>&1 || :`,
		"/boot, /root": `ls -lA --full-time /boot; ls -A /root/.ssh 2>&1 || :`,
		"network":      `nsenter --target "$HOST" --net sh -c 'ip -o link | cut -d " " -f 2; ip -4 -o addr; ip route'`,
		"filters":      `nsenter --target "$HOST" --net sh -c 'nft list ruleset 2>/dev/null || :'`,
		"mounts":       `cut -d ' ' -f 4- /proc/$HOST/mountinfo`,
	} {
		cmd := exec.Command("sh", "-c", script)
		cmd.Env = append(os.Environ(), "LOOP="+h.loop, "SHARED="+h.facts.Shared, "HOST="+h.network.pid())
		out, err := cmd.CombinedOutput()
		if err != nil {
			out = fmt.Appendf(out, "%v", err)
		}
		state[name] = string(out)
	}
	return state
}

// fingerprint describes every file of a folder; a time that changes tells of a file that came and went.
func fingerprint(dir string) map[string]string {
	state := map[string]string{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		line := fmt.Sprintf("%v %d:%d %d %v", info.Mode(), st.Uid, st.Gid, info.Size(), info.ModTime().UnixNano())
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += " " + string(text)
		}
		state[path] = line
		return nil
	})
	if err != nil {
		state["error"] = err.Error()
	}
	return state
}

// changes tells how two states differ, in few words.
func changes(before, after map[string]string) (lines []string) {
	for name, now := range after {
		if was, ok := before[name]; !ok {
			lines = append(lines, fmt.Sprintf("%s is new: %.200q", name, now))
		} else if was != now {
			lines = append(lines, fmt.Sprintf("%s had %.300q, has %.300q", name, without(was, now), without(now, was)))
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			lines = append(lines, name+" is gone")
		}
	}
	return lines
}

// without returns the lines of a text that another has not.
func without(text, other string) (lines []string) {
	for line := range strings.Lines(text) {
		if !strings.Contains("\n"+other, "\n"+line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// close takes everything away again.
func (h *host) close() (code int) {
	if h.network != nil {
		h.network.close()
	}
	_ = h.disk.Close()
	for _, helper := range h.helpers {
		_ = helper.Process.Signal(syscall.SIGKILL)
		_ = helper.Wait()
	}
	_, err := sh("/", `ipcrm --shmem-key "$1" 2>/dev/null || :; "$2" key drop || :`, fmt.Sprint(h.facts.Segment), h.probe)
	if err = errors.Join(err, os.RemoveAll(h.dir)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
