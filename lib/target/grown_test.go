package target

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"toaster.do/lib/config"
	"toaster.do/lib/dockerfile"
	images "toaster.do/lib/image"
	"toaster.do/lib/image/imagetest"
	"toaster.do/lib/image/registry"
)

// interpreter makes the tree of an image as the official ones are: Debian without an init system, its lists of packages
// and its documentation, an interpreter in /usr/local, and a package that no archive has.
const interpreter = `
mmdebstrap --quiet --variant=minbase --include=ca-certificates \
	--customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/usr/share/doc "$1"/usr/share/man' bookworm tree
cd tree
find dev -mindepth 1 -delete
printf '#!/bin/sh\nexit 101\n' >usr/sbin/policy-rc.d
mkdir -p own/DEBIAN
printf 'Package: of-the-image\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n' >own/DEBIAN/control
dpkg-deb --build own own.deb >/dev/null
chroot . dpkg -i own.deb >/dev/null
rm -r own own.deb
echo "deb http://third.invalid/ stable main" >etc/apt/sources.list.d/third.list
: >etc/apt/sources.list
printf '#!/bin/sh\necho interpreter "$@"\n' >usr/local/bin/interpreter
chmod 755 usr/local/bin/interpreter
rm -f etc/hostname
. ../more
tar --numeric-owner --xattrs --xattrs-include='*' --sort=name -cf ../layer.tar .
`

// onInterpreter is an image with that tree, of which a shell's commands make more, in a registry, and what asks that.
func onInterpreter(t *testing.T, more string) (host string, known *registry.Client) {
	t.Helper()
	dir := openDir(t)
	write(t, filepath.Join(dir, "more"), more, 0o644)
	cmd := exec.Command("sh", "-eu")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(interpreter)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	layer, err := os.ReadFile(filepath.Join(dir, "layer.tar"))
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1),
		static.NewLayer(layer, types.OCIUncompressedLayer))
	if err == nil {
		img, err = mutate.ConfigFile(mutate.ConfigMediaType(img, types.OCIConfigJSON), &v1.ConfigFile{OS: "linux",
			Architecture: "amd64", Config: v1.Config{Env: []string{"LANG=C.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin"},
				Cmd: []string{"interpreter"}}, RootFS: v1.RootFS{Type: "layers"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	host = imagetest.Serve(t)
	imagetest.Push(t, host+"/interpreter:3", img)
	cfg := config.Default().Registry
	cfg.Insecure = []string{host}
	return host, registry.New(cfg, "test")
}

// TestGrown: an image that is made of the target's release becomes the target's system, with what the target needs, the
// image's own files, and packages that fit together.
func TestGrown(t *testing.T) {
	canBuild(t)
	r := recipe("")
	r.Target.Packages = []string{"sysvinit-core", "ifupdown", "cron"}
	r.Root = Access{Keys: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0xTW6jSHb7pcl7aJXCQ4dYn8oJ4KVYt7+0Q0kXbOqK a\n"}
	b := grown(t, r, "", "RUN apt-get update && apt-get install -y --no-install-recommends busybox\n"+
		"RUN rm -r /var/lib/apt/lists/* && test \"$LANG\" = C.UTF-8 && test -z \"$DEBIAN_FRONTEND\"\n"+
		"RUN command -v interpreter && test ! -e /etc/apt/preferences.d/99toaster-grow\n"+
		"CMD [\"interpreter\", \"serve\"]\n")
	files := contents(t, b.file(t, "rootfs_amd64_bookworm.tar.gz"))
	for _, name := range []string{"sbin/init", "usr/local/bin/interpreter", "etc/init.d/cron", "etc/init.d/toaster-app",
		"etc/inittab", "root/.ssh/authorized_keys", "etc/apt/sources.list.d/third.list", "etc/hostname"} {
		if _, ok := files["./"+name]; !ok {
			if _, ok = files["./usr/"+name]; !ok {
				t.Errorf("%s is missing", name)
			}
		}
	}
	for _, name := range []string{"usr/sbin/policy-rc.d", "etc/apt/sources.list.d.toaster", "run/toaster-grow",
		"run/initctl", "etc/apt/apt.conf.d/99toaster-build"} {
		if _, ok := files["./"+name]; ok {
			t.Errorf("%s is left", name)
		}
	}
	if got := files["./etc/toaster/not-in-archive"].body; got != "of-the-image\n" {
		t.Errorf("not in the archive: %q", got)
	}
	said := "\ntoaster: the target's archive does not have these packages of the image: of-the-image\n"
	if !strings.Contains(b.log.String(), said) {
		t.Errorf("the log has no line %q", said)
	}
	if text := string(b.file(t, "provenance.json")); !strings.Contains(text, `"base_form": "grown"`) ||
		!strings.Contains(text, `"packages_not_in_archive": ["of-the-image"]`) {
		t.Error(text)
	}
	t.Run("packages", func(t *testing.T) { wholeSystem(t, b.file(t, "rootfs_amd64_bookworm.tar.gz")) })
}

// grown builds a Dockerfile that stands on the interpreter's image, for a recipe's target.
func grown(t *testing.T, r Recipe, more, text string) *run {
	t.Helper()
	host, known := onInterpreter(t, more)
	source := dockerfile.Source{Codename: r.Target.Codename, Dockerfile: []byte("FROM " + host + "/interpreter:3\n" + text)}
	base := dockerfile.BaseOf(dockerfile.Images(source))
	lock, problems := known.LookUp(t.Context(), []images.Want{base}, base)
	if len(problems) > 0 {
		t.Fatal(problems[0].Err)
	}
	source.Lock = lock
	made, findings := dockerfile.Translate(source)
	if made == nil || made.Form != dockerfile.FormGrown {
		t.Fatal(findings)
	}
	r.Blend, r.BlendSHA256, r.Images, r.Form = made.Text, made.SHA256, made.Images, string(made.Form)
	r.Config = made.Config
	script, err := Script(r)
	if err != nil {
		t.Fatal(err)
	}
	b := prepare(t, script)
	port := host[strings.IndexByte(host, ':')+1:]
	b.env = append(b.env, "TOASTER_REGISTRIES="+host+"=http://10.0.2.2:"+port, "TOASTER_SANDBOX_ALLOW=10.0.2.2:"+port)
	b.start(t)
	b.end()
	b.wants(t, 0, "toaster: done")
	return b
}

// devuanArchive makes an archive in the image as Devuan's is: it has some packages of its own, one in a version that
// Debian's is newer than.
const devuanArchive = `
mkdir -p srv/archive/x/DEBIAN srv/archive/download
(cd srv/archive/download && apt-get -q download base-files >/dev/null && dpkg-deb -R base-files*.deb ../files)
sed -i 's/^Version: .*/Version: 12devuan1/' srv/archive/files/DEBIAN/control
printf 'ID=devuan\nVERSION_CODENAME=daedalus\n' >srv/archive/files/usr/lib/os-release
dpkg-deb -b srv/archive/files srv/archive/base-files.deb >/dev/null
for name in devuan-keyring machine-tool; do
	printf 'Package: %s\nVersion: 2\nArchitecture: all\nMaintainer: x\nDescription: x\n' $name >srv/archive/x/DEBIAN/control
	dpkg-deb -b srv/archive/x srv/archive/$name.deb >/dev/null
done
cd srv/archive
for deb in *.deb; do
	dpkg-deb -f $deb
	echo "Filename: ./$deb
Size: $(stat -c %s $deb)
SHA256: $(sha256sum $deb | cut -d ' ' -f 1)
"
done >Packages
rm -r x files download
cd ../..
echo tool:x:888:888::/:/bin/sh >>etc/passwd
echo tool:x:888: >>etc/group
`

// devuanBase makes what the base of a target of Devuan would be, as far as the growing looks at it.
const devuanBase = `#!/bin/sh
set -e
[ "$1" != --version ] || exec echo "mmdebstrap 0"
for root; do case $root in */rootfs) break ;; esac; done
mkdir -p "$root/dev" "$root/etc/apt/apt.conf.d" "$root/var/lib/dpkg/info" "$root/usr/local/sdk" "$root/etc/init.d"
cd "$root"
echo 'deb [trusted=yes] file:/srv/archive ./' >etc/apt/sources.list
for name in base-files dpkg devuan-keyring machine-tool; do
	printf 'Package: %s\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n' $name
	[ $name != machine-tool ] || printf 'Conffiles:\n /etc/tool.conf 00000000000000000000000000000000\n'
	echo
done >var/lib/dpkg/status
echo /etc/owned >var/lib/dpkg/info/machine-tool.list
echo daedalus >etc/devuan_version
echo 'root:$6$hash:1::::::' >etc/shadow
echo changed >etc/tool.conf
for file in etc/owned etc/fstab etc/of-the-sdk usr/local/sdk/file usr/local/bin/interpreter; do
	mkdir -p ${file%/*}
	echo "the SDK's" >$file
done
printf 'root:x:0:0::/root:/bin/sh\ntool:x:777:777::/:/bin/sh\n' >etc/passwd
printf 'root:x:0:\ntool:x:777:\n' >etc/group
for file in usr/local/sdk/owned etc/owned-by-tool; do
	: >$file
	chown 777:777 $file
	chmod 4755 $file
done
printf 'Package: openssl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n' >>var/lib/dpkg/status
mkdir -p var/lib/apt
printf 'Package: openssl\nArchitecture: amd64\nAuto-Installed: 1\n' >var/lib/apt/extended_states
`

// TestGrownForDevuan: packages of Devuan's take the place of Debian's, also of newer ones; what Debian's archive alone
// has is told; the SDK's files come along, and none of them over the image's.
func TestGrownForDevuan(t *testing.T) {
	canBuild(t)
	r := recipe("")
	r.Target.Name, r.Target.Distribution, r.Target.Codename = "rootfs_amd64_daedalus", "devuan", "daedalus"
	r.Target.Mirror, r.Target.Suites = "http://mirror.invalid/merged", []string{"daedalus"}
	tools := openDir(t)
	real, err := exec.LookPath("mmdebstrap")
	if err != nil {
		t.Fatal(err)
	}
	// The image is made by the real one.
	write(t, filepath.Join(tools, "mmdebstrap"), strings.Replace(devuanBase, "set -e\n",
		"set -e\ncase \" $* \" in *' tree ') exec "+real+" \"$@\" ;; esac\n", 1), 0o755)
	t.Setenv("PATH", tools+":"+os.Getenv("PATH"))
	b := grown(t, r, devuanArchive, "RUN . /etc/os-release && test \"$ID\" = devuan\nCMD x\n")
	files := contents(t, b.file(t, "rootfs_amd64_daedalus.tar.gz"))
	for name, want := range map[string]string{"etc/fstab": "the SDK's\n", "etc/of-the-sdk": "the SDK's\n",
		"usr/local/sdk/file": "the SDK's\n", "usr/local/bin/interpreter": "#!/bin/sh\necho interpreter \"$@\"\n",
		"etc/tool.conf":        "changed\n",
		"etc/apt/sources.list": "deb [trusted=yes] file:/srv/archive ./\n"} {
		if got := files["./"+name].body; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"usr/local/sdk/owned", "etc/owned-by-tool"} {
		if f, there := files["./"+name]; !there || f.Uid != 888 || f.Gid != 888 || f.Mode != 0o4755 {
			t.Errorf("%s belongs to %d:%d, not to the image's own tool: %o", name, f.Uid, f.Gid, f.Mode)
		}
	}
	got := files["./var/lib/apt/extended_states"].body
	if !strings.Contains(got, "Package: openssl\nArchitecture: amd64\nAuto-Installed: 1\n") {
		t.Errorf("what was installed for another package is wanted by itself now:\n%s", got)
	}
	if _, there := files["./etc/owned"]; there {
		t.Error("a file of a package was copied")
	}
	if !strings.Contains(files["./etc/shadow"].body, "root:$6$hash:") {
		t.Error("root has another password than in the base")
	}
	left := strings.Fields(files["./etc/toaster/not-in-archive"].body)
	for name, want := range map[string]bool{"libsystemd0": true, "base-files": false, "devuan-keyring": false} {
		if slices.Contains(left, name) != want {
			t.Errorf("%s is not in the archive: %v", name, !want)
		}
	}
	list := string(b.file(t, "packages.txt"))
	for _, want := range []string{"base-files\t12devuan1\t", "devuan-keyring\t2\t", "machine-tool\t2\t"} {
		if !strings.Contains(list, want) {
			t.Errorf("%q is not installed:\n%s", want, list)
		}
	}
}

// wholeSystem asks the packages of a tree, in itself, whether they fit together.
func wholeSystem(t *testing.T, tarball []byte) {
	dir := openDir(t)
	cmd := exec.Command("tar", "-C", dir, "--exclude=./dev/*", "-xzpf", "-")
	cmd.Stdin = bytes.NewReader(tarball)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	in := func(command string) string {
		cmd := exec.Command("unshare", "--mount", "--pid", "--fork", "sh", "-ec", `cd "$0"
			mount -t proc proc proc; mount --bind /dev dev; cat /etc/resolv.conf >etc/resolv.conf
			apt-config dump | grep -i '^Acquire::http' >etc/apt/apt.conf.d/00test || :
			rm -f etc/apt/sources.list.d/third.list
			exec chroot . env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive sh -ec "$1"`, dir, command)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
		return string(out)
	}
	if got := in("dpkg --audit"); got != "" {
		t.Errorf("dpkg --audit:\n%s", got)
	}
	in("apt-get check && apt-get update")
	if got := in("apt-get -s dist-upgrade"); !strings.Contains(got, "\n0 upgraded, 0 newly installed, 0 to remove") {
		t.Error(got)
	}
	manual := strings.Fields(in("apt-mark showmanual"))
	for name, want := range map[string]bool{"cron": true, "busybox": true, "sysvinit-core": true, "libtirpc3": false} {
		if slices.Contains(manual, name) != want {
			t.Errorf("%s is marked as wanted: %v", name, !want)
		}
	}
}
