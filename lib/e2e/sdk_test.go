//go:build e2e_sdk

package e2e

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/ssh"

	"toaster.do/conf"
	"toaster.do/lib/config"
	translator "toaster.do/lib/dockerfile"
	"toaster.do/lib/image"
	"toaster.do/lib/image/imagetest"
	"toaster.do/lib/image/registry"
	"toaster.do/lib/jobs"
	sdk "toaster.do/lib/target"
)

// "make e2e-sdk SDK_DIR=…" builds a live ISO and a virtual machine's disk with the real SDKs, SDK_DIR/live-sdk and
// SDK_DIR/vm-sdk with their submodules, and Debian in Devuan's place; looks into them; and starts them in qemu, without
// KVM, until there is a prompt and root logs in with a key. What the Dockerfile stands on, and what has to hold of the
// machine then, is a case. As root.

// sdkCase is a Dockerfile, which names the image that it stands on, if there is one, as @BASE@.
type sdkCase struct {
	name       string
	dockerfile string
	base       func(*testing.T) v1.Image
	files      map[string]string // what the image has before it is started
	bootCheck  bool              // the build's own test of it, too
	check      func(m *machine, reboots bool)
}

var sdkCases = []sdkCase{
	{"plain", plainSite, nil, map[string]string{
		"srv/app/index.html": greeting, "srv/app/pages/who": "app\n"}, true, isPlain},
	{"appliance", applianceSite, alpine, map[string]string{
		"var/lib/toaster-app/rootfs/etc/alpine-release": "3.20.0\n", "var/lib/toaster-app/rootfs/data/seed": "seed\n"},
		false, isAppliance},
	{"grown", grownSite, interpreter, map[string]string{"srv/app/index.html": greeting}, false, isGrown},
}

const plainSite = `FROM debian:bookworm
ARG GREETING="it's $(hostname) & co"
ENV APP_HOME=/srv/app
WORKDIR $APP_HOME
RUN apt-get update && apt-get install -y --no-install-recommends busybox && rm -rf /var/lib/apt/lists/*
COPY <<E index.html
$GREETING
E
RUN <<E
#!/bin/sh
useradd --system --home-dir /srv/app app
install -d -o app pages
E
USER app
RUN id -un >pages/who
EXPOSE 8080
CMD ["busybox", "httpd", "-f", "-p", "8080", "-h", "/srv/app"]
`

const greeting = "it's $(hostname) & co\n"

func isPlain(m *machine, _ bool) {
	m.page("/index.html", greeting)
	m.says("id -un && grep ^root: /etc/shadow | cut -d : -f 2", "root\n*\n")
}

const applianceSite = `FROM @BASE@
RUN /bin/busybox --install -s /bin && mkdir /data && echo seed >/data/seed && chown -R app /data
COPY --chmod=755 <<'E' /start
#!/bin/sh
echo "$GREETING, $(id -u) $(id -G), process $$" >>/data/starts
exec "$@"
E
WORKDIR /srv/app
ENV GREETING="it's $HOME & co"
USER app
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=2s CMD wget -q -O /dev/null http://127.0.0.1:8080/seed
ENTRYPOINT ["/start"]
CMD ["httpd", "-f", "-p", "8080", "-h", "/data"]
`

// alpine is as small as Alpine's image, and no Debian.
func alpine(t *testing.T) v1.Image {
	t.Helper()
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatal(err)
	}
	return imageOf(t, v1.Config{Env: []string{"PATH=/usr/bin:/bin", "HOME=/home"}}, map[string]string{
		"bin/busybox": string(busybox), "bin/sh": string(busybox), "etc/alpine-release": "3.20.0\n",
		"etc/passwd": "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/:/bin/sh\n",
		"etc/group":  "root:x:0:\napp:x:1001:\nextra:x:2000:app\n"})
}

// isAppliance: the page has a line for each start of the application, which is kept on a volume.
func isAppliance(m *machine, reboots bool) {
	const start = "it's /home & co, 1000 1001 2000, process 1\n"
	const tree = "find /var/lib/toaster-app/rootfs -xdev -printf '%p %y %m %U:%G %s %T@ %l\\n' | sort | sha256sum"
	m.page("/starts", start)
	healthy := func() {
		well := regexp.MustCompile(`^toaster-app is running, process \d+, healthy\n`)
		m.until("the application is healthy", func() bool { return well.MatchString(m.run("toaster-app status; :")) })
	}
	healthy()
	m.types("toaster-app shell", "cat /etc/alpine-release; pwd; id -u; cat /data/seed; ls -A / | grep -c bin",
		"3.20.0\n/srv/app\n1000\nseed\n1\n")
	before := m.run(tree)
	m.run("apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends hello")
	m.says("hello; cat /etc/debian_version | cut -d . -f 1", "Hello, world!\n12\n")
	m.says(tree, before)
	m.run("kill -9 $(sed -n s/^pid=//p /run/toaster-app.status)")
	m.page("/starts", start+start)
	if !reboots {
		return
	}
	m.reboot()
	m.page("/starts", start+start+start)
	m.page("/seed", "seed\n")
	healthy()
}

const grownSite = `FROM @BASE@
WORKDIR /srv/app
COPY <<E index.html
it's \$(hostname) & co
E
RUN useradd --system app
USER app
EXPOSE 8080
CMD ["python3", "-m", "http.server", "8080"]
`

// interpreter is as official images are: Debian with an interpreter, without kernel and init system.
func interpreter(t *testing.T) v1.Image {
	t.Helper()
	dir := t.TempDir()
	sh(t, nil, "sh", "-ec", `cd "$0"
		mmdebstrap --quiet --variant=minbase --include=python3,ca-certificates bookworm tree
		rm -rf tree/var/lib/apt/lists/* tree/etc/hostname
		printf '#!/bin/sh\nexit 101\n' >tree/usr/sbin/policy-rc.d
		tar -C tree --exclude='./dev/*' --numeric-owner --xattrs --xattrs-include='*' -cf layer.tar .`, dir)
	layer, err := os.ReadFile(filepath.Join(dir, "layer.tar"))
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(imageOf(t, v1.Config{Env: []string{"LANG=C.UTF-8",
		"PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, Cmd: []string{"python3"}}), static.NewLayer(layer, types.OCIUncompressedLayer))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// isGrown: the image's own tree boots, as one system of packages, and survives what its administrator does.
func isGrown(m *machine, reboots bool) {
	m.page("/index.html", greeting)
	m.says("stat -c %U /proc/$(sed -n s/^pid=//p /run/toaster-app.status); readlink /proc/1/exe; dpkg --audit",
		"app\n/usr/sbin/init\n")
	m.run("apt-get check && apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends hello")
	m.says("hello; apt-get -s dist-upgrade | grep -c ^Inst; :", "Hello, world!\n0\n")
	if reboots {
		m.reboot()
		m.page("/index.html", greeting)
	}
}

func TestRealSDK(t *testing.T) {
	sdks := os.Getenv("SDK_DIR")
	if sdks == "" {
		t.Fatal("SDK_DIR is not set: the folder that has live-sdk and vm-sdk")
	}
	for _, kind := range []string{"vm", "live"} {
		for _, c := range sdkCases {
			t.Run(kind+"/"+c.name, func(t *testing.T) {
				key := newKey(t)
				root := sdk.Access{Keys: string(ssh.MarshalAuthorizedKey(key.PublicKey()))}
				dir := t.TempDir()
				began := time.Now()
				files := c.build(t, dir, sdks, kind, root)
				t.Logf("built in %v", time.Since(began).Round(time.Second))
				image := findImage(t, dir)
				if c.bootCheck {
					provenance(t, dir)
				}
				lookInside(t, image, files)
				c.check(boot(t, image, key), kind == "vm") // a live system forgets
			})
		}
	}
}

// build builds a case for the target of the installed list, where it is off, as it is for this alone. The files are
// what the image must have.
func (c sdkCase) build(t *testing.T, dir, sdks, kind string, root sdk.Access) (files map[string]string) {
	t.Helper()
	text, err := conf.Files.ReadFile("targets.toml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "targets.toml")
	if err := os.WriteFile(path, bytes.ReplaceAll(text, []byte("\non = false\n"), []byte("\non = true\n")),
		0o600); err != nil {
		t.Fatal(err)
	}
	targets, err := sdk.LoadTargets(path)
	if err != nil {
		t.Fatal(err)
	}
	to, err := targets.Find(kind + "_amd64_bookworm")
	if err != nil {
		t.Fatal(err)
	}
	source := translator.Source{Dockerfile: []byte(c.dockerfile), Arch: to.Arch, Codename: to.Codename}
	var env []string
	if c.base != nil {
		env = c.push(t, &source)
	}
	blend, findings := translator.Translate(source)
	if blend == nil {
		t.Fatal(findings)
	}
	script, err := jobs.Script(to, blend, root, "e2e")
	if err != nil {
		t.Fatal(err)
	}
	env = append(env, "TOASTER_SDK_DIR="+sdks)
	if c.bootCheck {
		env = append(env, "TOASTER_BOOT_CHECK=1")
	}
	runScript(t, dir, script, env)
	files = map[string]string{"root/.ssh/authorized_keys": root.Keys, "etc/toaster/stamp": blend.SHA256 + "\n",
		"etc/resolv.conf": ""}
	maps.Copy(files, c.files)
	return files
}

// push puts the base into a registry and looks it up there. The build asks that registry, by the sandbox's name for
// this host's loopback.
func (c sdkCase) push(t *testing.T, source *translator.Source) (env []string) {
	t.Helper()
	host := imagetest.Serve(t)
	imagetest.Push(t, host+"/base:1", c.base(t))
	source.Dockerfile = bytes.ReplaceAll(source.Dockerfile, []byte("@BASE@"), []byte(host+"/base:1"))
	cfg := config.Default().Registry
	cfg.Insecure = []string{host}
	base := translator.BaseOf(translator.Images(*source))
	lock, problems := registry.New(cfg, "e2e").LookUp(t.Context(), []image.Want{base}, base)
	if len(problems) > 0 || len(lock) == 0 {
		t.Fatal(lock, problems)
	}
	source.Lock = lock
	inside := "10.0.2.2" + host[strings.LastIndexByte(host, ':'):]
	return []string{"TOASTER_SANDBOX_ALLOW=" + inside, "TOASTER_REGISTRIES=" + host + "=http://" + inside}
}

func runScript(t *testing.T, dir string, script []byte, env []string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "build.sh"), script, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "build.sh")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	said := regexp.MustCompile(`(?m)^(toaster: |sdk: \(\*\)|TOASTER-).*$`).FindAllString(string(out), -1)
	t.Log(strings.Join(said, "\n"))
	if err != nil {
		t.Fatalf("%v\n%s", err, out[max(0, len(out)-4000):])
	}
	if loops, _ := exec.Command("losetup", "--list", "--output", "BACK-FILE").Output(); strings.Contains(string(loops),
		dir) {
		t.Errorf("the build left a loop device:\n%s", loops)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 2 {
		t.Errorf("the build left %v", entries)
	}
}

func findImage(t *testing.T, dir string) (image string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "dist"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%12d %s", info.Size(), e.Name())
		if strings.HasSuffix(e.Name(), ".iso") || strings.HasSuffix(e.Name(), ".qcow2") {
			image = filepath.Join(dir, "dist", e.Name())
		}
	}
	if image == "" {
		t.Fatal("there is no image")
	}
	return image
}

// provenance: what the build's own boot test says, if qemu was there for it.
func provenance(t *testing.T, dir string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "dist", "provenance.json"))
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		Boot struct {
			Seconds *int   `json:"seconds_to_prompt"`
			Port    int    `json:"port"`
			Answer  string `json:"answer"`
		} `json:"boot_check"`
	}
	if err := json.Unmarshal(text, &p); err != nil || p.Boot.Seconds == nil || p.Boot.Port != 8080 ||
		!strings.HasPrefix(p.Boot.Answer, "HTTP/1.") {
		t.Errorf("%v in %s", err, text)
	}
	if shot, err := os.Stat(filepath.Join(dir, "dist", "boot.png")); err != nil || shot.Size() < 1000 {
		t.Errorf("no screenshot: %v", err)
	}
}

func lookInside(t *testing.T, image string, files map[string]string) {
	t.Helper()
	work := t.TempDir()
	script := `xorriso -osirrox on -indev "$IMAGE" -extract /live/filesystem.squashfs squash 2>/dev/null
		unsquashfs -n -f -d tree squash "$@" >/dev/null`
	if strings.HasSuffix(image, ".qcow2") {
		script = `qemu-img convert -O raw "$IMAGE" raw
			start=$(parted -ms raw unit B print | tail -n 1 | cut -d : -f 2 | tr -d B)
			for file; do
				mkdir -p "tree/${file%/*}" && debugfs -R "dump /$file tree/$file" "raw?offset=$start" 2>/dev/null
			done
			e2fsck -fn "raw?offset=$start" >/dev/null`
	}
	cmd := exec.Command("sh", append([]string{"-ec", script, "sh", "etc/shadow"},
		slices.Collect(maps.Keys(files))...)...)
	cmd.Dir, cmd.Env = work, append(os.Environ(), "IMAGE="+image)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(work, "tree", name))
		if err != nil || string(got) != want {
			t.Errorf("%s is %q, %v", name, got, err)
		}
	}
	if shadow, err := os.ReadFile(filepath.Join(work, "tree/etc/shadow")); err != nil ||
		!strings.HasPrefix(string(shadow), "root:*:") {
		t.Errorf("root's password is not locked: %.20s, %v", shadow, err)
	}
}
