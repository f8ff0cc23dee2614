package hostile

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"toaster.do/lib/buildcontext"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/target"
)

// build is one run of a build script, in a folder of its own that others can see, as a temporary one of a person is.
type build struct {
	host      *host
	kind      string // rootfs, vm, live, arm
	age       string // of the SDK: new or old
	dir       string
	root      string // before dir, where only the builds' host has it mounted
	canary    string // for what the context leads to
	env       []string
	terminal  bool
	finishing bool
	watch     func(log []byte) // sees the log grow

	blend  *dockerfile.Blend
	log    bytes.Buffer
	code   int
	took   time.Duration
	report struct {
		Left   []string
		Memory int64 // of its largest process, in KiB
	}
}

// builds counts them: each has ids of its own, as those of a runner's slots have.
var builds atomic.Int64

func (h *host) build(t testing.TB, kind string) *build {
	t.Helper()
	kind, age, _ := strings.Cut(kind+" new", " ")
	dir, err := os.MkdirTemp(h.dir, "build.")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	b := &build{host: h, kind: kind, age: strings.Fields(age)[0], dir: dir, canary: h.facts.Canary}
	b.env = append(os.Environ(), "PATH="+h.tools+":"+os.Getenv("PATH"), "BUILD_NUMBER=7", "XZ_OPT=-0",
		"TOASTER_SANDBOX_ALLOW="+allowed+":3128", fmt.Sprintf("TOASTER_IDS=%d", 1500000000+65536*(builds.Add(1)%1000)),
		fmt.Sprintf("TOASTER_PIDS=%d", h.facts.Processes), fmt.Sprintf("TOASTER_FILES=%d", h.facts.Files))
	return b
}

// script translates a Dockerfile and makes the build script, which wants less disk than a real build.
func (b *build) script(t testing.TB, text string) {
	t.Helper()
	source := dockerfile.Source{Dockerfile: []byte(text), Context: b.buildContext(t)}
	blend, findings := dockerfile.Translate(source)
	if blend == nil {
		t.Fatalf("%v\n%s", findings, text)
	}
	b.blend = blend
	machine := target.Target{
		Name: b.kind + "_amd64_daedalus", SDK: b.kind, Arch: "amd64",
		Distribution: "devuan", Codename: "daedalus", Version: "5", KeyringPackage: "devuan-keyring",
		Mirror: "http://mirror.example/merged", Components: []string{"main"}, Suites: []string{"daedalus"},
		Source: "http://127.0.0.1:1/sdk", Commit: strings.Repeat("0", 40),
	}
	if b.kind == "vm" || b.kind == "arm" {
		machine.Size = 96
	}
	if b.kind == "arm" {
		machine.Board = "toyboard"
	}
	script, err := target.Script(target.Recipe{Target: machine, Blend: blend.Text, BlendSHA256: blend.SHA256,
		DockerfileSHA256: blend.Dockerfile, ContextSHA256: blend.Context, Base: blend.Base, Config: blend.Config,
		Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	small := regexp.MustCompile(`\nNEED_MIB=[0-9]+\n`).ReplaceAllString(string(script), "\nNEED_MIB=1\n")
	i, j := strings.Index(small, "\nmake make\n"), strings.Index(small, "\ntake_result() {")
	if b.kind == "arm" && i > 0 && j > 0 { // what kernels are compiled with
		small = small[:i] + "'\n" + small[j:]
	}
	if b.kind != "rootfs" {
		dir := b.sdk(t)
		b.env = append(b.env, "TOASTER_SDK_DIR="+dir)
		small = readAlready(t, small, dir)
	}
	if err := write(b.root+filepath.Join(b.dir, "build.sh"), small, 0o600); err != nil {
		t.Fatal(err)
	}
}

// readAlready adds an SDK to those whose functions have been read by somebody.
func readAlready(t testing.TB, script, sdk string) string {
	t.Helper()
	const known = "\ntypeset -a t_known=(\n"
	const sum = "source ../script/replaced.zsh; cd -- $1; toaster_library | sha256sum"
	out, err := exec.Command("zsh", "-fc", sum, "zsh", sdk).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(script, known, known+"\t"+strings.Fields(string(out))[0]+"\n", 1)
}

// addProgram gives the build a base of its own, with one more program, which add puts into a folder.
func (b *build) addProgram(t *testing.T, add func(folder string) error) {
	t.Helper()
	base, tools := b.dir+".base", b.dir+".tools"
	_, err := sh("/", `cp -a "$1" "$2"`, b.host.base, base)
	if err == nil {
		err = add(filepath.Join(base, "usr/bin"))
	}
	if err == nil {
		err = makeTools(tools, base)
	}
	if err != nil {
		t.Fatal(err)
	}
	b.env = append(b.env, "PATH="+tools+":"+os.Getenv("PATH"))
}

// finish is what a build might do in the tree after the blend, with the SDK's means.
const finish = `
finish_tree() {
	local tree=$strapdir
	mountpoint -q $workdir/mnt && tree=$workdir/mnt
	print -l '#!/bin/sh' 'update-initramfs -u || :' 'dpkg --configure -a || :' | sudo tee $tree/finish >/dev/null
	if [[ $age == new ]]; then chroot-script -d $tree/finish; else chroot-script -d finish; fi
}
`

// sdk is a copy of the tests' SDK.
func (b *build) sdk(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(b.dir, "..", filepath.Base(b.dir)+".sdk")
	err := os.CopyFS(dir, os.DirFS("../testdata/sdk"))
	if err == nil {
		err = write(filepath.Join(dir, "lib/kind"), b.kind, 0o644)
	}
	if err == nil {
		err = write(filepath.Join(dir, "lib/age"), b.age, 0o644)
	}
	if b.finishing && err == nil {
		var text []byte
		text, err = os.ReadFile(filepath.Join(dir, "lib/libdevuansdk/image"))
		text = regexp.MustCompile(`blend_postinst \|\| (zerr|\{.*\})\n`).ReplaceAll(text, []byte("$0\tfinish_tree\n"))
		err = errors.Join(err, write(filepath.Join(dir, "lib/libdevuansdk/image"), string(text)+finish, 0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// buildContext has what COPY and ADD take: a file, and archives with device files and with links that lead out.
func (b *build) buildContext(t testing.TB) *dockerfile.Context {
	t.Helper()
	dir, err := os.MkdirTemp(b.host.dir, "context.")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for name, text := range map[string]string{
		"file": "planted\n", "plain.tar": archive(tar.Header{Typeflag: tar.TypeReg, Name: "planted"}),
		"devices.tar": deviceArchive(b.host),
		"links.tar":   linkArchive(b.canary), "climbing.tar": climbingArchive(b.canary),
		"places.tar": placesArchive(b.canary),
	} {
		if err := write(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	archive, err := buildcontext.Pack(dir, "", math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	c, err := dockerfile.ReadContext(archive, dockerfile.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// run runs the script on the host, and adopts what it leaves. A process that can't be stopped fails the test.
func (b *build) run(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	report := b.dir + ".report"
	command := []string{"--target", b.host.network.pid(), "--net", "--mount", "sh", "-c", `cd "$0" && exec "$@"`, b.dir,
		b.host.probe, "reap", report}
	if b.terminal {
		command = append(command, "script", "--quiet", "--return", "--flush", "--command", "sh build.sh", "/dev/null")
	} else {
		command = append(command, "sh", "build.sh")
	}
	cmd := exec.CommandContext(ctx, "nsenter", command...)
	cmd.Env = b.env
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Stdout = b
	cmd.Stderr = b
	began := time.Now()
	err := cmd.Run()
	b.took = time.Since(began)
	b.code = cmd.ProcessState.ExitCode()
	if ctx.Err() != nil || errors.Is(err, exec.ErrWaitDelay) {
		t.Errorf("the build does not end: %v", err)
	}
	text, err := os.ReadFile(report)
	if err == nil {
		err = json.Unmarshal(text, &b.report)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, b.log.Bytes())
	}
}

// Write keeps the ends of a log; nobody needs all of one that is flooded.
func (b *build) Write(p []byte) (int, error) {
	if b.log.Len() > 8<<20 {
		b.log.Next(b.log.Len() - 1<<20)
	}
	b.log.Write(p)
	if b.watch != nil {
		b.watch(b.log.Bytes())
	}
	return len(p), nil
}

func (b *build) last() string {
	lines := strings.Split(strings.TrimSpace(b.log.String()), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// isClean checks that the build has left nothing but its result: no process, mount, loop device, container or file.
func (b *build) isClean(t *testing.T) {
	t.Helper()
	if len(b.report.Left) > 0 {
		t.Errorf("processes are left: %q", b.report.Left)
	}
	out, err := sh("/", `
		cat /proc/self/mountinfo "/proc/$2/mountinfo" | grep -F "$1" | grep -v " $1 " || :
		for try in 1 2 3 4 5 6 7 8 9 10; do
			loops=$(losetup --list --noheadings --output NAME,BACK-FILE | grep -F "$1" || :)
			[ -n "$loops" ] || break
			sleep 0.2
		done
		printf '%s' "$loops"
		grep -lsF "$1" /run/runc/*/state.json /run/crun/*/status || :
		cd "/proc/$2/root$1" && ls -A | grep -vxE 'build.sh|dist' || :`, b.dir, b.host.network.pid())
	if err != nil || out != "" {
		t.Errorf("the build left: %v\n%s", err, out)
	}
	if _, err := os.Stat(b.root + filepath.Join(b.dir, "dist")); (err == nil) != (b.code == 0) {
		t.Errorf("exit %d, dist: %v", b.code, err)
	}
}

// keepsSecrets looks through the results for what only the host has.
func (b *build) keepsSecrets(t *testing.T) {
	t.Helper()
	if bytes.Contains(b.log.Bytes(), []byte(b.host.secret)) {
		t.Error("the log has a secret of the host")
	}
	if b.code != 0 {
		return
	}
	out, err := sh(b.root+filepath.Join(b.dir, "dist"), `
		for file in *; do
			case $file in
			*.tar.gz) gzip -dc "$file" ;;
			*.xz) xz -dc "$file" ;;
			*.qcow2) qemu-img convert -O raw "$file" ../raw; cat ../raw; rm ../raw ;;
			*.iso) cat "$file"; xorriso -osirrox on -indev "$file" -extract /live/filesystem.squashfs ../squashfs >/dev/null 2>&1
				unsquashfs -n -cat ../squashfs etc/passwd etc/resolv.conf etc/toaster/stamp 2>/dev/null || :
				rm -f ../squashfs ;;
			*.vdi) ;;
			*) cat "$file" ;;
			esac | grep -qaF -e "$1" -e '1600000000' && echo "$file" || :
		done`, b.host.secret)
	if err != nil || out != "" {
		t.Errorf("secrets of the host are in: %v\n%s", err, out)
	}
}
