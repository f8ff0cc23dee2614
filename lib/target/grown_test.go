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
tar --numeric-owner --xattrs --xattrs-include='*' --sort=name -cf ../layer.tar .
`

// onInterpreter is an image with that tree in a registry, and what builds from there need.
func onInterpreter(t *testing.T) (host string, known *registry.Client) {
	t.Helper()
	dir := openDir(t)
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
	host, known := onInterpreter(t)
	source := dockerfile.Source{Codename: "bookworm", Dockerfile: []byte("FROM " + host + "/interpreter:3\n" +
		"RUN apt-get update && apt-get install -y --no-install-recommends busybox && rm -rf /var/lib/apt/lists/*\n" +
		"RUN command -v interpreter && test ! -e /etc/apt/preferences.d/99toaster-grow\n" +
		"CMD [\"interpreter\", \"serve\"]\n")}
	named := dockerfile.Images(source)
	base := dockerfile.BaseOf(named)
	lock, problems := known.LookUp(t.Context(), []images.Want{base}, base)
	if len(problems) > 0 {
		t.Fatal(problems[0].Err)
	}
	source.Lock = lock
	made, findings := dockerfile.Translate(source)
	if made == nil || made.Form != dockerfile.FormGrown {
		t.Fatal(findings)
	}
	r := recipe("")
	r.Blend, r.BlendSHA256, r.Images = made.Text, made.SHA256, made.Images
	r.Form = string(made.Form)
	r.Target.Packages = []string{"sysvinit-core", "ifupdown", "cron"}
	r.Root = Access{Keys: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0xTW6jSHb7pcl7aJXCQ4dYn8oJ4KVYt7+0Q0kXbOqK a\n"}
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
	if text := string(b.file(t, "provenance.json")); !strings.Contains(text, `"base_form": "grown"`) ||
		!strings.Contains(text, `"packages_not_in_archive": ["of-the-image"]`) {
		t.Error(text)
	}
	t.Run("packages", func(t *testing.T) { wholeSystem(t, b.file(t, "rootfs_amd64_bookworm.tar.gz")) })
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
