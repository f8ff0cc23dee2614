package target

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/dockerfile"
)

// canImage skips where the SDK's images can't be made; under CI=true, where they must, the builds will say why not.
func canImage(t *testing.T) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		return
	}
	if os.Getuid() != 0 {
		t.Skip("not root")
	}
	for _, tool := range strings.Fields(
		"zsh cpio busybox mksquashfs xorriso parted qemu-img debugfs debootstrap losetup slirp4netns") {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		t.Skip(err)
	}
}

// miniSDK is a copy of the tests' own SDK: kind is live, vm or arm, age new or old.
func miniSDK(t *testing.T, kind, age string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "sdk of the host")
	if err := os.CopyFS(dir, os.DirFS("testdata/sdk")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "lib/kind"), kind, 0o644)
	write(t, filepath.Join(dir, "lib/age"), age, 0o644)
	return dir
}

// fakeDebootstrap puts a debootstrap in the way that makes a root filesystem of busybox in a moment, and looks at how
// it is called. It fails without a script for the release, as the real one does.
func fakeDebootstrap(t *testing.T) {
	t.Helper()
	tools := t.TempDir()
	write(t, filepath.Join(tools, "debootstrap"), `#!/bin/sh
set -e
[ "$1" != --version ] || exec echo "debootstrap 0"
args=$*
release= root=
while [ $# -gt 0 ]; do
	case $1 in
	--arch) shift ;;
	--*) ;;
	*) if [ -z "$release" ]; then release=$1; elif [ -z "$root" ]; then root=$1; fi ;;
	esac
	shift
done
[ -e "$DEBOOTSTRAP_DIR/scripts/$release" ] || { echo "E: No such script: $release"; exit 1; }
cd "$root"
mkdir -p bin dev etc/apt/apt.conf.d home lib proc root sys tmp usr/bin usr/sbin var/lib/dpkg var/log boot
cp "$(command -v busybox)" bin/busybox
for name in sh echo cat mkdir grep rm touch cp ln sleep head wc sed id printf env chroot ls sync; do ln -s busybox bin/$name; done
printf '#!/bin/sh\nread -r line\necho "root:hash-of-${line#*:}:1::::::" >/etc/shadow\n' >usr/sbin/chpasswd
mkdir -p etc/default etc/ssh usr/bin usr/lib/grub/i386-pc && echo SSHD_OPTS= >etc/default/ssh
# A grub that makes files with what is looked for in them, and as many sectors as it says.
{
	head -c 92 /dev/zero; printf '\001\0\0\0\0\0\0\0'; head -c 410 /dev/zero; printf '\125\252'
} >usr/lib/grub/i386-pc/boot.img
echo >usr/lib/grub/i386-pc/normal.mod
echo >usr/lib/grub/i386-pc/moddep.lst
cat >usr/bin/grub-mkimage <<'E'
#!/bin/sh
while [ "$1" != -o ]; do shift; done
{ head -c 500 /dev/zero; printf '\002\0\0\0\0\0\0\0\001\0\040\010'; echo "grub with $4"; } >"$2"
E
printf '#!/bin/sh\n: >"$1"\n' >usr/bin/grub-editenv
cat >usr/sbin/grub-mkconfig <<'E'
#!/bin/sh
set -e
device=$(grub-probe --target=device /)
uuid=$(grub-probe --device $device --target=fs_uuid)
[ -e /dev/disk/by-uuid/$uuid ]
{
	echo "root=UUID=$uuid device=$device at $(grub-probe --target=hints_string --device $device)"
	echo "boot=UUID=$(grub-probe -t fs_uuid /boot/grub) $(grub-probe -t drive /boot)"
	grub-probe --target=fs --device $device
	grub-probe --device $device --target=partmap
} >"$2"
E
printf '#!/bin/sh\necho the probe of the image >&2; exit 1\n' >usr/sbin/grub-probe
echo >usr/sbin/sshd
printf '#!/bin/sh\n' >usr/bin/apt-get
chmod 755 usr/sbin/* usr/bin/*
echo "root:x:0:0:root:/root:/bin/sh" >etc/passwd
echo "root:!:1::::::" >etc/shadow
echo "root:x:0:" >etc/group
printf 'Package: busybox\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\nMaintainer: x\nDescription: x\n' >var/lib/dpkg/status
echo "$args" >etc/debootstrap
case $args in *fails.example*) : >etc/fails ;; esac
: >installed
echo "1:2345:respawn:/sbin/getty tty1" >etc/inittab
`, 0o755)
	t.Setenv("PATH", tools+":"+os.Getenv("PATH"))
}

// sdkRecipe is a Dockerfile for a target of the tests' SDK.
func sdkRecipe(t *testing.T, kind, text string) Recipe {
	t.Helper()
	blend, findings := dockerfile.Translate(dockerfile.Source{Dockerfile: []byte(text)})
	if blend == nil {
		t.Fatal(findings)
	}
	return Recipe{
		Target: Target{
			Name: kind + "_amd64_daedalus", SDK: kind, Arch: "amd64", Distribution: "devuan", Codename: "daedalus", Version: "5",
			Mirror: "http://mirror.example/merged", Components: []string{"main", "contrib"},
			Suites:         []string{"daedalus", "daedalus-updates"},
			KeyringPackage: "devuan-keyring", Size: map[string]int{"vm": 64, "arm": 64}[kind],
			Board:   map[string]string{"arm": "toyboard"}[kind],
			Replace: []string{"git-core=git", "sysvinit="},
			Source:  "http://127.0.0.1:1/sdk", Commit: strings.Repeat("0", 40),
		},
		Root:  Access{Hash: "$6$salt$root.of/this"},
		Blend: blend.Text, BlendSHA256: blend.SHA256, DockerfileSHA256: blend.Dockerfile, Base: blend.Base,
		Config: blend.Config, Version: "1.2.3",
	}
}

// library is the checksum of the functions of an SDK, as the script has it.
func library(t *testing.T, sdk string) string {
	t.Helper()
	cmd := exec.Command("zsh", "-fc", assemble([]string{"replaced.zsh"})+"\ntoaster_library | sha256sum")
	cmd.Dir = sdk
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))[0]
}

// image is a build of an SDK's image, with less disk than a real one needs.
func image(t *testing.T, sdk string, r Recipe) *run {
	t.Helper()
	script, err := Script(r)
	if err != nil {
		t.Fatal(err)
	}
	text := string(script)
	for _, need := range []string{"6144", "8192", "12288"} {
		text = strings.Replace(text, "\nNEED_MIB="+need+"\n", "\nNEED_MIB=64\n", 1)
	}
	const known = "\ntypeset -a t_known=(\n"
	text = strings.Replace(text, known, known+"\t"+library(t, "testdata/sdk")+"\n", 1)
	i := strings.Index(text, "\nmake make\n") // what kernels are compiled with
	if j := strings.Index(text, "\ntake_result() {"); r.Target.SDK == "arm" && i > 0 && j > 0 {
		text = text[:i] + "'\n" + text[j:]
	}
	b := prepare(t, []byte(text))
	b.env = []string{"TOASTER_SDK_DIR=" + sdk}
	return b
}

// hasNoLoop waits until the build's loop devices are gone, which the kernel sees to after the last process.
func (r *run) hasNoLoop(t *testing.T) {
	t.Helper()
	var out []byte
	for range 100 {
		var err error
		out, err = exec.Command("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE").CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(out), r.dir) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("the build left a loop device:\n%s", out)
}

// inImage returns a file of a finished image, as a person finds it who looks into what was downloaded: in an ISO
// "iso/…" is beside the image, on a disk "boot/…" is in its first partition, and "raw" the disk.
func (r *run) inImage(t *testing.T, name string) string {
	t.Helper()
	text := r.lookFor(t, name)
	if text == "none" {
		t.Fatal("the image has no " + name)
	}
	return text
}

// lookFor returns "none" where the image has no such file.
func (r *run) lookFor(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	sh := func(script string) {
		t.Helper()
		cmd := exec.Command("sh", "-ec", script)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "DIST="+filepath.Join(r.dir, "dist"), "FILE="+name)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	found, _ := filepath.Glob(filepath.Join(r.dir, "dist", "*_amd64_*"))
	switch {
	case len(found) == 0:
		t.Fatal("there is no image")
	case strings.HasSuffix(found[0], ".iso"):
		sh(`xorriso -osirrox on -indev "$DIST"/*.iso -extract / iso 2>/dev/null; mkdir out
			case $FILE in iso/*) cp "$FILE" out/file; exit ;; esac
			unsquashfs -n -f -d tree iso/live/filesystem.squashfs "$FILE" >/dev/null; cp "tree/$FILE" out/file || :`)
	default:
		sh(`mkdir out
			case $(ls "$DIST") in *.xz*) xz -dc "$DIST"/*.img.xz >raw ;; *) qemu-img convert -O raw "$DIST"/*.qcow2 raw ;; esac
			case $FILE in
			raw) mv raw out/file; exit ;;
			boot/*) file=${FILE#boot/} which='sed -n 3p' ;;
			*) file=$FILE which='tail -n 1' ;;
			esac
			start=$(parted -ms raw unit B print | $which | cut -d : -f 2 | tr -d B)
			debugfs -R "dump /$file out/file" "raw?offset=$start" 2>/dev/null`)
	}
	text, err := os.ReadFile(filepath.Join(dir, "out/file"))
	if errors.Is(err, os.ErrNotExist) {
		return "none"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
