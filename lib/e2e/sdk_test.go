//go:build e2e_sdk

package e2e

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"toaster.do/conf"
	translator "toaster.do/lib/dockerfile"
	sdk "toaster.do/lib/target"
)

// "make e2e-sdk SDK_DIR=…" builds a live ISO and a virtual machine's disk with the real SDKs, SDK_DIR/live-sdk and
// SDK_DIR/vm-sdk with their submodules, and Debian in Devuan's place; looks into them; and starts them in qemu, without
// KVM, until there is a prompt, the Dockerfile's service gives its page, and root logs in with a key. As root; it takes
// half an hour.

const site = `FROM debian:bookworm
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

func TestRealSDK(t *testing.T) {
	sdks := os.Getenv("SDK_DIR")
	if sdks == "" {
		t.Fatal("SDK_DIR is not set: the folder that has live-sdk and vm-sdk")
	}
	for _, kind := range []string{"vm", "live"} {
		t.Run(kind, func(t *testing.T) {
			recipe := recipeFor(t, kind)
			key := newKey(t)
			recipe.Root.Keys = string(ssh.MarshalAuthorizedKey(key.PublicKey()))
			dir := t.TempDir()
			began := time.Now()
			runScript(t, dir, sdks, recipe)
			t.Logf("built in %v", time.Since(began).Round(time.Second))
			image := findImage(t, dir)
			provenance(t, dir)
			lookInside(t, image, recipe)
			bootImage(t, image, key)
		})
	}
}

// recipeFor takes the target from the installed list, where it is off, as it is for this alone.
func recipeFor(t *testing.T, kind string) sdk.Recipe {
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
	target, err := targets.Find(kind + "_amd64_bookworm")
	if err != nil {
		t.Fatal(err)
	}
	blend, findings := translator.Translate(translator.Source{Dockerfile: []byte(site), Codename: target.Codename})
	if blend == nil {
		t.Fatal(findings)
	}
	return sdk.Recipe{Target: target, Blend: blend.Text, BlendSHA256: blend.SHA256, DockerfileSHA256: blend.Dockerfile,
		Base: blend.Base, Config: blend.Config, AppRoot: blend.Root, Version: "e2e"}
}

func runScript(t *testing.T, dir, sdks string, r sdk.Recipe) {
	t.Helper()
	script, err := sdk.Script(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "build.sh"), script, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "build.sh")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TOASTER_SDK_DIR="+sdks, "TOASTER_BOOT_CHECK=1")
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

func lookInside(t *testing.T, image string, r sdk.Recipe) {
	t.Helper()
	work := t.TempDir()
	script := `xorriso -osirrox on -indev "$IMAGE" -extract /live/filesystem.squashfs squash 2>/dev/null
		unsquashfs -n -f -d tree squash etc/toaster etc/resolv.conf etc/shadow root/.ssh srv/app var/lib/dpkg/status >/dev/null`
	if strings.HasSuffix(image, ".qcow2") {
		script = `qemu-img convert -O raw "$IMAGE" raw
			start=$(parted -ms raw unit B print | tail -n 1 | cut -d : -f 2 | tr -d B)
			mkdir -p tree && for dir in etc root srv; do debugfs -R "rdump /$dir tree" "raw?offset=$start" 2>/dev/null; done
			e2fsck -fn "raw?offset=$start" >/dev/null`
	}
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir, cmd.Env = work, append(os.Environ(), "IMAGE="+image)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, want := range map[string]string{
		"root/.ssh/authorized_keys": r.Root.Keys,
		"etc/toaster/stamp":         r.BlendSHA256 + "\n", "srv/app/index.html": greeting, "srv/app/pages/who": "app\n",
		"etc/resolv.conf": "",
	} {
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

// bootImage waits for the prompt on the serial console, and for the page; then root logs in with the key.
func bootImage(t *testing.T, image string, key ssh.Signer) {
	t.Helper()
	port, door := openPort(t), openPort(t)
	console := filepath.Join(t.TempDir(), "console")
	args := []string{"-m", "1024", "-display", "none", "-serial", "file:" + console, "-no-reboot", "-snapshot",
		"-netdev", fmt.Sprintf("user,id=net,hostfwd=tcp:127.0.0.1:%d-:8080,hostfwd=tcp:127.0.0.1:%d-:22", port, door),
		"-device", "e1000,netdev=net"}
	if strings.HasSuffix(image, ".iso") {
		args = append(args, "-cdrom", image, "-boot", "d")
	} else {
		args = append(args, "-drive", "file="+image+",format=qcow2")
	}
	machine := exec.Command("qemu-system-x86_64", args...)
	if err := machine.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		machine.Process.Kill()
		machine.Wait()
	}()
	began, prompt := time.Now(), regexp.MustCompile(`login: *$`)
	var page string
	for prompted := false; page == "" || !prompted; time.Sleep(2 * time.Second) {
		text, _ := os.ReadFile(console)
		if !prompted && prompt.Match(bytes.TrimSpace(text)) {
			prompted = true
			t.Logf("a prompt after %v", time.Since(began).Round(time.Second))
		}
		if page == "" {
			if page = fetch(port); page != "" {
				t.Logf("the page after %v: %q", time.Since(began).Round(time.Second), page)
			}
		}
		if time.Since(began) > 30*time.Minute {
			t.Fatalf("no prompt or no page; the console's end:\n%s", text[max(0, len(text)-2000):])
		}
	}
	if page != greeting {
		t.Errorf("the page is %q", page)
	}
	t.Logf("root logs in with the key: %q", logIn(t, door, key))
	text, _ := os.ReadFile(console)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	t.Logf("the console's last lines:\n%s", strings.Join(lines[max(0, len(lines)-8):], "\n"))
}

func newKey(t *testing.T) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// logIn returns what "id" says to who has the key, once the server has started.
func logIn(t *testing.T, port int, key ssh.Signer) string {
	t.Helper()
	settings := &ssh.ClientConfig{
		User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		Timeout: 2 * time.Minute,
	}
	client, err := ssh.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port), settings)
	for began := time.Now(); err != nil && time.Since(began) < 10*time.Minute; time.Sleep(5 * time.Second) {
		client, err = ssh.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port), settings)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	out, err := session.CombinedOutput("id -un && grep ^root: /etc/shadow | cut -d : -f 2")
	if err != nil || string(out) != "root\n*\n" {
		t.Errorf("id says %q, %v", out, err)
	}
	return string(out)
}

func fetch(port int) string {
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/index.html", port))
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return ""
	}
	return string(body)
}

func openPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
