package doctor

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"toaster.do/lib/app"
	"toaster.do/lib/config"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/doctor/check"
	"toaster.do/lib/host"
	"toaster.do/lib/jobs"
	"toaster.do/lib/target"
)

// trial is a build that doctor runs: a real script in the real sandbox, with a base that has nothing but this program.
type trial struct {
	cfg   *config.Config
	dir   string // a folder of its own where builds work
	first int    // of the ids; 0: the script finds some
	reach []string
	path  string // where the base's program is, for a build

	rows    map[string]check.Result // by the name of the probe's row
	cgroup  map[string]string       // what the kernel says of the limits, by file
	reached atomic.Int64            // how often somebody came through to this host
	last    string                  // the script's last line
	cause   string                  // the builder's last words
	code    int
}

const (
	trialShare = 96  // MiB of disk that a trial may take
	trialFill  = 128 // MiB that it tries to take
	trialTime  = 2 * time.Minute
	spareRAM   = 1 << 30 // what memory limit it has where the site has none
)

// aBase is the mmdebstrap of a trial: a tree with this program in it, and the libraries where it is linked to some.
const aBase = `#!/bin/sh
[ "$1" != --version ] || exec echo "mmdebstrap 0"
for root; do case $root in */rootfs) break ;; esac; done
mkdir -p "$root/dev" "$root/etc/apt/apt.conf.d" "$root/var/lib/dpkg/info"
echo "deb http://mirror.invalid/debian trial main" >"$root/etc/apt/sources.list"
ldd "${0%/*}/toasterctl" 2>/dev/null | grep -o '/[^ ]*' | while read -r file; do
	mkdir -p "$root${file%/*}" && cp -L "$file" "$root$file"
done
exec cp "${0%/*}/toasterctl" "$root/toasterctl"
`

// runnersPath is where build scripts look for programs.
const runnersPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// trialTarget is an image of this host's own architecture.
func trialTarget() target.Target {
	arch := map[string]string{"386": "i386", "arm": "armhf", "ppc64le": "ppc64el"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	return target.Target{
		Name:         "trial",
		SDK:          "rootfs",
		Arch:         arch,
		Distribution: "debian",
		Codename:     "trial",
		Components:   []string{"main"},
		Suites:       []string{"trial"},
	}
}

// blendOf translates a Dockerfile whose only step is a program.
func blendOf(argv ...string) *dockerfile.Blend {
	words, _ := json.Marshal(argv)
	blend, _ := dockerfile.Translate(
		dockerfile.Source{Dockerfile: []byte("FROM debian:bookworm\nRUN " + string(words) + "\n")},
	)
	return blend
}

// run runs the build, and the probe in it. An error says why it could not begin; how the build ended is in the trial.
func (t *trial) run(ctx context.Context) error {
	t.rows, t.cgroup = map[string]check.Result{}, map[string]string{}
	closed, end, err := t.listen()
	if err != nil {
		return err
	}
	defer end()
	script, err := jobs.Script(trialTarget(), blendOf(t.probe(closed)...), target.Access{}, app.Version)
	if err != nil {
		return err
	}
	if err := t.prepare(script); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, trialTime)
	defer cancel()
	begin := t.command()
	cmd := exec.CommandContext(ctx, begin[0], begin[1:]...)
	cmd.Dir, cmd.Env = filepath.Join(t.dir, "workspace"), t.environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	listened := make(chan struct{})
	go func() {
		defer close(listened)
		t.listenTo(r)
	}()
	err = cmd.Run()
	w.Close()
	<-listened
	t.code = cmd.ProcessState.ExitCode()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = nil
	}
	return err
}

// probe is the command that the build runs; closed are the addresses that it must not reach.
func (t *trial) probe(closed []string) []string {
	argv := []string{
		"/toasterctl",
		"probe",
		"--canary=" + filepath.Join(t.dir, "canary"),
		fmt.Sprintf("--fill=%d", trialFill),
		fmt.Sprintf("--files=%d", t.cfg.Sandbox.OpenFiles),
		fmt.Sprintf("--threads=%d", t.cfg.Sandbox.Processes),
	}
	for _, address := range closed {
		argv = append(argv, "--closed="+address)
	}
	for _, address := range t.reach {
		argv = append(argv, "--reach="+address)
	}
	return argv
}

// command runs the build script, from a folder that the ids of a build may enter.
func (t *trial) command() []string {
	t.path = filepath.Join(t.dir, "bin")
	for _, place := range []string{"/media", "/srv", "/opt"} {
		if os.Getuid() == 0 && host.Exists(place) {
			t.path = place
		}
	}
	begin := []string{"/bin/sh", filepath.Join(t.dir, "script")}
	if t.path != t.dir+"/bin" { // a build's ids can't go through every folder above
		begin = append([]string{"unshare", "--mount", "--propagation", "private", "--", "/bin/sh", "-c",
			`mount --bind "$1" "$2" && shift 2 && exec "$@"`, "sh", filepath.Join(t.dir, "bin"), t.path}, begin...)
	}
	return begin
}

func (t *trial) prepare(script []byte) error {
	if err := os.MkdirAll(filepath.Join(t.dir, "bin"), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(t.dir, "workspace"), 0o755); err != nil {
		return err
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		text []byte
		mode os.FileMode
	}{{"script", script, 0o644}, {"canary", []byte("x"), 0o644}, {"bin/toasterctl", self, 0o755},
		{"bin/mmdebstrap", []byte(aBase), 0o755}} {
		if err := os.WriteFile(filepath.Join(t.dir, f.name), f.text, f.mode); err != nil {
			return err
		}
	}
	return nil
}

// environment is what the runner would give the script, with limits in all places, to see whether they hold.
func (t *trial) environment() []string {
	env := append(app.Executor(t.cfg, nil, nil).Env, "PATH="+t.path+":"+runnersPath, "HOME="+t.dir, "LANG=C.UTF-8",
		fmt.Sprintf("TOASTER_DISK=%d", trialShare<<20))
	if t.cfg.Sandbox.Memory == 0 {
		env = append(env, fmt.Sprintf("TOASTER_MEMORY=%d", spareRAM))
	}
	if t.cfg.Sandbox.CPUs == 0 {
		env = append(env, fmt.Sprintf("TOASTER_CPUS=%d", runtime.NumCPU()))
	}
	if t.first > 0 {
		env = append(env, fmt.Sprintf("TOASTER_IDS=%d", t.first))
	}
	return env
}

// listen opens a port on this host's addresses, and returns all addresses that a build must not reach.
func (t *trial) listen() (closed []string, end func(), err error) {
	var all []net.Listener
	end = func() {
		for _, l := range all {
			l.Close()
		}
	}
	addresses := []string{"127.0.0.1"}
	if found, err := net.InterfaceAddrs(); err == nil {
		for _, a := range found {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
				addresses = append(addresses, n.IP.String())
			}
		}
	}
	for _, address := range addresses {
		l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
		if err != nil {
			continue
		}
		all = append(all, l)
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				t.reached.Add(1)
				conn.Close()
			}
		}()
		closed = append(closed, l.Addr().String())
	}
	if len(all) == 0 {
		return nil, end, errors.New("no port can be opened on this host's loopback")
	}
	_, port, _ := net.SplitHostPort(closed[0])
	return append(closed, "10.0.2.2:"+port, "169.254.169.254:80", "168.63.129.16:80"), end, nil
}

// listenTo reads what the build says. At the probe's first word the limits are looked up: they are gone with the build.
func (t *trial) listenTo(r io.Reader) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		line := s.Text()
		words := strings.SplitN(line, " ", 4)
		if words[0] == probeMark && len(words) == 4 {
			if len(t.rows) == 0 {
				t.lookUp()
			}
			t.rows[words[1]] = check.OK(words[1], words[3])
			if words[2] != "ok" {
				t.rows[words[1]] = check.Fail(words[1], words[3], "")
			}
		}
		if line != "" {
			t.last = line
		}
		if strings.HasPrefix(line, "toaster: ") && !strings.HasPrefix(line, "toaster: failed: ") {
			t.cause = line
		}
	}
	io.Copy(io.Discard, r)
}

// lookUp reads the files of the build's control groups, of either version.
func (t *trial) lookUp() {
	sum := sha256.Sum256([]byte(filepath.Join(t.dir, "workspace", trialTarget().Name+".work")))
	name := fmt.Sprintf("toaster/%x", sum[:8])
	for file, folders := range map[string]string{
		"memory.max": ".", "memory.limit_in_bytes": "memory", "pids.max": ". pids", "cpu.max": ".",
		"cpu.cfs_quota_us": "cpu",
	} {
		for folder := range strings.FieldsSeq(folders) {
			if text, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", folder, name, file)); err == nil {
				t.cgroup[file] = string(bytes.TrimSpace(text))
			}
		}
	}
}

// holds tells which of the limits the kernel has taken.
func (t *trial) holds() (memory, pids, cpus bool) {
	wanted := int64(t.cfg.Sandbox.Memory)
	if wanted == 0 {
		wanted = spareRAM
	}
	for _, file := range []string{"memory.max", "memory.limit_in_bytes"} {
		if n, err := strconv.ParseInt(t.cgroup[file], 10, 64); err == nil && n <= wanted {
			memory = true
		}
	}
	n, err := strconv.Atoi(t.cgroup["pids.max"])
	pids = err == nil && n <= t.cfg.Sandbox.Processes
	quota, _, _ := strings.Cut(t.cgroup["cpu.max"], " ")
	for _, text := range []string{quota, t.cgroup["cpu.cfs_quota_us"]} {
		if n, err := strconv.Atoi(text); err == nil && n > 0 {
			cpus = true
		}
	}
	return memory, pids, cpus
}
