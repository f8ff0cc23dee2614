package target

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// These tests run the script with an SDK of the tests' own, which has the interface and the traps of the real ones.

const page = `FROM devuan/devuan:daedalus
RUN <<E
#!/bin/sh
cat >/made <<X
#!/bin/sh
echo made
X
E
RUN wc -c </etc/resolv.conf >/words
RUN head -c 8000000 /dev/urandom >/gone && sync
RUN rm /gone
RUN ls -d /usr/bin/* >/seen || :
EXPOSE 8080
CMD ["busybox", "httpd", "-f", "-p", "8080"]
`

func TestImages(t *testing.T) {
	canImage(t)
	fakeDebootstrap(t)
	hostNames, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ kind, age, file, hidden string }{
		{"live", "new", "live_amd64_daedalus.iso", "boot/vmlinuz-1"},
		{"live", "old", "live_amd64_daedalus.iso", "boot/vmlinuz-1"},
		{"vm", "new", "vm_amd64_daedalus.qcow2", "boot/grub/grub.cfg"},
		{"vm", "old", "vm_amd64_daedalus.qcow2", "etc/fstab"},
		{"arm", "new", "arm_amd64_daedalus.img.xz", "etc/fstab"},
	} {
		t.Run(c.kind+" "+c.age, func(t *testing.T) {
			recipe := sdkRecipe(t, c.kind, page)
			b := image(t, miniSDK(t, c.kind, c.age), recipe)
			b.start(t)
			b.end()
			b.wants(t, 0, "toaster: done: dist/"+c.file)
			if t.Failed() {
				return
			}
			b.isClean(t)
			b.hasNoLoop(t)
			for name, want := range map[string]string{
				"etc/toaster/stamp": recipe.BlendSHA256 + "\n",
				"made":              "#!/bin/sh\necho made\n", // which chroot-script would have changed
				"etc/resolv.conf":   "",
				"etc/default/ssh":   "SSHD_OPTS= [ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -A >/dev/null",
				"etc/apt/sources.list": "deb http://mirror.example/merged daedalus main contrib\ndeb " +
					"http://mirror.example/merged daedalus-updates main contrib\n",
				"installed": "devuan-keyring openssh-server git\nkernel-of-" + c.kind + " git\n",
			} {
				if got := b.inImage(t, name); strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			if got := b.inImage(t, "words"); strings.TrimSpace(got) == "0" {
				t.Error("a RUN had no name server")
			}
			if len(hostNames) > 0 && strings.Contains(b.inImage(t, "etc/debootstrap"), "--keyring=/") {
				t.Error("the SDK's own keyring was used")
			}
			checkImageFiles(t, b, recipe, c.file)
			checkDisk(t, b, c.kind, c.hidden)
			checkRoot(t, b, recipe.Root)
			switch c.kind {
			case "arm":
				checkBoard(t, b)
			case "vm":
				checkBootSector(t, b, c.age)
			}
		})
	}
}

// checkBoard: the boot loader is beside the image, and the host's qemu is not in it.
func checkBoard(t *testing.T, b *run) {
	t.Helper()
	if contents(t, b.file(t, "arm_amd64_daedalus.u-boot.tar.gz"))["u-boot/toy.bin"].body != "loader\n" {
		t.Error("the board's boot loader is not there")
	}
	if !strings.Contains(b.inImage(t, "seen"), "/env\n") {
		t.Error("the SDK put no qemu into the image, so nothing was tested")
	}
	list := exec.Command("sh", "-ec", `xz -dc dist/*.img.xz >"$0"
		debugfs -R "ls -p /usr/bin" "$0?offset=$(parted -ms "$0" unit B print | tail -n 1 | cut -d : -f 2 | tr -d B)"`, filepath.Join(t.TempDir(), "raw"))
	list.Dir = b.dir
	out, err := list.Output()
	if err != nil || !strings.Contains(string(out), "/../") || strings.Contains(string(out), "/env/") {
		t.Errorf("/usr/bin has %s, %v", out, err)
	}
}

// checkBootSector: the machine starts grub, which finds its files in the first partition; the menu knows both
// partitions by UUID.
func checkBootSector(t *testing.T, b *run, age string) {
	t.Helper()
	prefix, menu := "/grub", "boot/grub/grub.cfg"
	if age == "old" {
		prefix, menu = "/boot/grub", "boot/boot/grub/grub.cfg"
	}
	disk := b.inImage(t, "raw")[:1<<20]
	if disk[0x5c] != 1 || disk[0x66:0x68] != "\x90\x90" || disk[510:512] != "\x55\xaa" || disk[446+4] == 0 ||
		!strings.HasPrefix(disk[512+500:],
			"\x02\x00\x00\x00\x00\x00\x00\x00\x01\x00\x20\x08grub with (,msdos1)"+prefix+"\n") {
		t.Errorf("the boot sector is %q", disk[:1100])
	}
	text := b.inImage(t, menu)
	uuids := regexp.MustCompile(`UUID=([0-9a-f-]{36}) `).FindAllStringSubmatch(text, -1)
	if len(uuids) != 2 || (uuids[0][1] == uuids[1][1]) != (age == "old") || !strings.Contains(text, "msdos") {
		t.Errorf("grub.cfg is %q", text)
	}
}

func checkImageFiles(t *testing.T, b *run, r Recipe, file string) {
	t.Helper()
	check := exec.Command("sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS")
	check.Dir = filepath.Join(b.dir, "dist")
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if got := string(b.file(t, "packages.txt")); got != "busybox\t1\tamd64\n" {
		t.Errorf("packages.txt is %q", got)
	}
	var p struct {
		Target, Builder string
		SDK             string  `json:"sdk"`
		Source          *string `json:"sdk_source"`
		Files           string  `json:"sdk_sha256"`
		Blend           string  `json:"blend_sha256"`
		Image           struct{ Path, SHA256 string }
	}
	text := b.file(t, "provenance.json")
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if p.Target != r.Target.Name || p.SDK != r.Target.SDK || p.Source != nil || len(p.Files) != 64 ||
		p.Blend != r.BlendSHA256 ||
		p.Image.Path != file || p.Image.SHA256 != sum(b.file(t, file)) {
		t.Errorf("provenance.json: %s", text)
	}
}

// checkDisk: a disk has UUIDs although nothing here runs udev; an ISO starts in silence.
func checkDisk(t *testing.T, b *run, kind, hidden string) {
	t.Helper()
	if info, err := os.Stat(filepath.Join(b.dir, "dist", kind+"_amd64_daedalus.qcow2")); err == nil &&
		info.Size() > 8000000 {
		t.Errorf("what was deleted is in the image, which has %d bytes", info.Size())
	}
	switch kind {
	case "live":
		if cfg := b.inImage(t, "iso/isolinux/isolinux.cfg"); !strings.Contains(cfg,
			"boot=live console=ttyS0,115200 console=tty0 net.ifnames=0\n") {
			t.Errorf("isolinux.cfg is %q", cfg)
		}
	default:
		if text := b.inImage(t, hidden); !strings.Contains(text, "UUID=") || strings.Contains(text, "UUID= ") {
			t.Errorf("%s is %q", hidden, text)
		}
	}
	if kind != "arm" && !strings.Contains(b.inImage(t, "etc/inittab"), "ttyS0") {
		t.Error("no console on the serial port")
	}
}

// The ISO boots the kernel that the Dockerfile left in it, not the one that was there before; and two are no error.
func TestKernelOfTheISO(t *testing.T) {
	canImage(t)
	fakeDebootstrap(t)
	b := image(t, miniSDK(t, "live", "new"), sdkRecipe(t, "live", "FROM devuan/devuan:daedalus\n"+
		"RUN echo kernel 10 >/boot/vmlinuz-10 && echo ram 10 >/boot/initrd.img-10\n"))
	b.start(t)
	b.end()
	b.wants(t, 0, "toaster: done")
	if got := b.inImage(t, "iso/live/vmlinuz") + b.inImage(t, "iso/live/initrd.img"); got != "kernel 10\nram 10\n" {
		t.Errorf("the ISO boots %q", got)
	}
}

// Stages are shared by builds of the same packages from the same place, and by no others; also when two are at it.
func TestStages(t *testing.T) {
	canImage(t)
	fakeDebootstrap(t)
	for _, age := range []string{"new", "old"} {
		t.Run(age, func(t *testing.T) {
			sdk, first := miniSDK(t, "live", age), t.TempDir()
			build := func(cache string, change func(*Recipe)) *run {
				r := sdkRecipe(t, "live", page)
				change(&r)
				b := image(t, sdk, r)
				b.env = append(b.env, "TOASTER_CACHE_DIR="+cache)
				b.start(t)
				return b
			}
			same := func(*Recipe) {}
			var wait sync.WaitGroup
			two := []*run{build(first, same), build(first, same)}
			for _, b := range two {
				wait.Go(b.end)
			}
			wait.Wait()
			for _, b := range two {
				b.wants(t, 0, "toaster: done")
			}
			if kept, err := filepath.Glob(first + "/*.stage"); err != nil || len(kept) != 1 {
				t.Fatalf("the cache holds %v, %v", kept, err)
			}
			for name, c := range map[string]struct {
				change func(*Recipe)
				reused bool
			}{
				"the same":         {same, true},
				"another mirror":   {func(r *Recipe) { r.Target.Mirror += "/x" }, false},
				"other packages":   {func(r *Recipe) { r.Target.Packages = []string{"vim"} }, false},
				"other components": {func(r *Recipe) { r.Target.Components = []string{"main"} }, false},
				"another name":     {func(r *Recipe) { r.Target.Replace = nil }, false},
			} {
				cache := t.TempDir()
				if err := os.CopyFS(cache, os.DirFS(first)); err != nil {
					t.Fatal(err)
				}
				b := build(cache, c.change)
				b.end()
				b.wants(t, 0, "toaster: done")
				if got := strings.Contains(b.log.String(), "stage: from the cache"); got != c.reused {
					t.Errorf("%s: reused %v", name, got)
				}
				if tab := b.inImage(t, "etc/inittab"); strings.Count(tab, "ttyS0") != 1 {
					t.Errorf("%s: inittab is %q", name, tab)
				}
				if kept, err := filepath.Glob(cache + "/*.stage"); err != nil || len(kept) != 1 {
					t.Errorf("%s: the cache holds %v, %v", name, kept, err)
				}
			}
		})
	}
}

// What goes wrong is said in the last line, and nothing stays behind.
func TestBrokenImages(t *testing.T) {
	canImage(t)
	fakeDebootstrap(t)
	for name, c := range map[string]struct {
		kind   string
		code   int
		last   string
		change func(*Recipe, *string)
	}{
		"an instruction fails": {"vm", ExitBlend,
			"toaster: failed: line 2 of the Dockerfile failed (exit code 3): RUN exit 3", func(r *Recipe, _ *string) {
				*r = sdkRecipe(t, "vm", "FROM devuan/devuan:daedalus\nRUN exit 3\n")
			}},
		"the blend does nothing": {"vm", ExitStamp, "toaster: failed: the image has no stamp", func(r *Recipe, _ *string) {
			otherBlend(r, "return 0\n")
		}},
		"the blend works on another tree": {"vm", ExitStamp, "toaster: failed: the image has no stamp",
			func(r *Recipe, _ *string) {
				otherBlend(r, stamp) // strapdir was copied before
			}},
		"a stage fails": {"live", ExitFailed,
			"toaster: failed: the SDK failed after \"Chrooting to execute 'thirdstage' ...\".",
			func(r *Recipe, _ *string) { r.Target.Mirror = "http://fails.example/merged" }},
		"no such board": {"arm", ExitFailed, "toaster: failed: the SDK failed: the SDK could not be loaded.",
			func(r *Recipe, _ *string) { r.Target.Board = "none" }},
		"the SDK is not whole": {"live", ExitHost, "toaster: failed: TOASTER_SDK_DIR, ", func(_ *Recipe, sdk *string) {
			if err := os.RemoveAll(filepath.Join(*sdk, "lib/zuper")); err != nil {
				t.Fatal(err)
			}
		}},
		"another SDK": {"live", ExitFailed, "toaster: failed: the SDK failed: this is no live-sdk.",
			func(_ *Recipe, sdk *string) {
				write(t, filepath.Join(*sdk, "lib/kind"), "vm", 0o644)
			}},
		"the SDK can't be fetched": {"live", ExitMirror,
			"toaster: failed: the SDK can't be fetched from http://127.0.0.1:1/sdk", func(_ *Recipe, sdk *string) { *sdk = "" }},
	} {
		t.Run(name, func(t *testing.T) {
			sdk, r := miniSDK(t, c.kind, "new"), sdkRecipe(t, c.kind, page)
			c.change(&r, &sdk)
			b := image(t, sdk, r)
			b.start(t)
			b.end()
			b.wants(t, c.code, c.last)
			b.isClean(t)
			b.hasNoLoop(t)
			if name == "a stage fails" && !strings.Contains(b.log.String(), "a secret word for the log") {
				t.Error("what the program of the image said is not in the log")
			}
		})
	}
}

// otherBlend gives a recipe a blend that does something else.
func otherBlend(r *Recipe, body string) {
	r.Blend = append(r.Blend, blend(body)...)
	r.BlendSHA256 = sum(r.Blend)
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A stopped or killed build leaves no mount, no loop device, no process.
func TestStoppedImage(t *testing.T) {
	canImage(t)
	fakeDebootstrap(t)
	for _, age := range []string{"new", "old"} {
		for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
			t.Run(age+" "+signal.String(), func(t *testing.T) {
				b := image(t, miniSDK(t, "vm", age), sdkRecipe(t, "vm", "FROM devuan/devuan:daedalus\nRUN sleep 987654\n"))
				b.start(t)
				<-b.stepped
				if err := b.cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				b.end()
				b.hasNoLoop(t)
				if signal == syscall.SIGTERM {
					b.wants(t, ExitStopped, "toaster: failed: the build was stopped.")
					b.isClean(t)
					return
				}
				b.hasNoProcess(t)
			})
		}
	}
}

// On a full disk the build says so.
func TestFullDiskImage(t *testing.T) {
	canImage(t)
	fakeDebootstrap(t)
	for _, kind := range []string{"live", "vm"} {
		t.Run(kind, func(t *testing.T) {
			r := sdkRecipe(t, kind, "FROM devuan/devuan:daedalus\nRUN head -c 30000000 /dev/urandom >/fill\n")
			b := image(t, miniSDK(t, kind, "new"), r)
			b.env = append(b.env, "TOASTER_FREE_DISK=1000000")
			text := strings.Replace(readFile(t, filepath.Join(b.dir, "build.sh")), "\nNEED_MIB=64\n", "\nNEED_MIB=20\n", 1)
			write(t, filepath.Join(b.dir, "build.sh"), text, 0o600)
			b.start(t, "unshare", "--mount", "sh", "-c",
				"mkdir disk && mount -t tmpfs -o size=24m none disk && cd disk && sh ../build.sh; code=$?; ls; exit $code")
			b.end()
			b.wants(t, ExitFull, "toaster: failed: the disk is full: ")
			b.hasNoLoop(t)
		})
	}
}

// The real debootstrap says what it says when nobody answers.
func TestMirrorAwayImage(t *testing.T) {
	canImage(t)
	r := sdkRecipe(t, "live", page)
	r.Target.Mirror = "http://127.0.0.1:1/merged"
	b := image(t, miniSDK(t, "live", "new"), r)
	b.start(t)
	b.end()
	b.wants(t, ExitMirror, "toaster: failed: the package archive can't be reached, or is being updated.")
	b.isClean(t)
}
