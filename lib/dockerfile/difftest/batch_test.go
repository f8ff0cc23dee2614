package difftest

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"toaster.do/lib/dockerfile"
)

// newRoot is the base image's files alone, where nothing is compared with buildah.
func newRoot(t *testing.T) *builder {
	for _, tool := range []string{"zsh", "busybox", "unshare", "perl"} {
		if _, err := exec.LookPath(tool); err != nil {
			lack(t, tool+" is not installed")
		}
	}
	if os.Geteuid() != 0 {
		lack(t, "not root")
	}
	b := &builder{root: filepath.Join(t.TempDir(), "root")}
	run(t, "sh", "testdata/base.sh", b.root)
	return b
}

// TestDevicesAndCapabilities: a base that debootstrap has made has devices, which no build can make; what chown takes
// away is kept.
func TestDevicesAndCapabilities(t *testing.T) {
	b := newRoot(t)
	for name, device := range map[string]int{"dev/null": 1<<8 | 3, "srv": 1<<8 | 5} {
		if err := syscall.Mknod(filepath.Join(b.root, name), syscall.S_IFCHR|0o666, device); err != nil {
			lack(t, "no devices can be made here")
		}
	}
	ping := filepath.Join(b.root, "bin/ping-able")
	capability, _ := hex.DecodeString("0100000200200000000000000000000000000000") // cap_net_raw+ep
	if err := os.WriteFile(ping, []byte("x"), 0o755); err != nil ||
		syscall.Setxattr(ping, "security.capability", capability, 0) != nil {
		lack(t, "no capabilities can be given here")
	}
	_, dir := translateText(t, b, `FROM debian:bookworm AS b
RUN touch /x
FROM debian:bookworm
COPY --from=b /x /x
COPY --from=b --chown=1000:1000 /bin/ping-able /one
COPY --from=b --chown=1000:1000 /bin/ping* /glob/
COPY --from=b --chown=1000:1000 --exclude=[^p]* /bin /all/
`)
	out, err := zsh(dir, `strapdir=$PWD/root; source ./app.blend; blend_postinst`)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := snapshot(t, filepath.Join(dir, "root"))
	for _, name := range []string{"one", "glob/ping-able", "all/ping-able"} {
		if !strings.HasPrefix(got[name], "f 0755 1000:1000") || !strings.Contains(got[name], "capability 00200000") {
			t.Errorf("%s: %s", name, got[name])
		}
	}
	if !strings.Contains(got["dev/null"], "Dc") || got["x"] == "" {
		t.Errorf("/dev/null: %s, /x: %s", got["dev/null"], got["x"])
	}
	_, dir = translateText(t, b,
		"FROM debian:bookworm AS b\nRUN true\nFROM debian:bookworm\nCOPY --from=b /dev /dev\nCOPY --from=b / /c\n")
	if out, err := zsh(dir, `strapdir=$PWD/root; source ./app.blend; blend_postinst`); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestContextKeepsAttributes: a context's extended attributes get into the image, and its sockets as empty files.
func TestContextKeepsAttributes(t *testing.T) {
	b := newRoot(t)
	folder := t.TempDir()
	run(t, "mkdir", filepath.Join(folder, "d"))
	for _, name := range []string{"f", "d/g"} {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, nil, 0o640); err != nil || syscall.Setxattr(file, "user.a", []byte("v"), 0) != nil {
			lack(t, "no attributes can be given here")
		}
	}
	if err := syscall.Mknod(filepath.Join(folder, "d/s"), syscall.S_IFSOCK|0o600, 0); err != nil {
		t.Fatal(err)
	}
	capability, _ := hex.DecodeString("0100000200200000000000000000000000000000") // cap_net_raw+ep
	if err := syscall.Setxattr(filepath.Join(folder, "f"), "security.capability", capability, 0); err != nil {
		lack(t, "no capabilities can be given here")
	}
	context, err := contextOf(folder)
	if err != nil {
		t.Fatal(err)
	}
	blend, findings := dockerfile.Translate(dockerfile.Source{Context: context,
		Dockerfile: []byte("FROM debian:bookworm\nCOPY f /one\nCOPY d /d\nCOPY d/* f* /glob/\nADD --chown=1:1 f /add\n")})
	if blend == nil {
		t.Fatal(findings)
	}
	root, said, err := b.run(blend, t.TempDir(), "")
	if err != nil {
		t.Fatal(said)
	}
	for _, name := range []string{"one", "d/g", "glob/g", "glob/f", "add"} {
		value := make([]byte, 9)
		if n, err := syscall.Getxattr(filepath.Join(root, name), "user.a", value); string(value[:max(n, 0)]) != "v" {
			t.Errorf("%s: user.a is %q: %v", name, value, err)
		}
	}
	tree := snapshot(t, root)
	if got := tree["glob/s"]; !strings.HasPrefix(got, "f 0600 0:0 0 ") {
		t.Errorf("the socket is %q", got)
	}
	for _, name := range []string{"one", "add", "glob/f"} {
		if !strings.Contains(tree[name], "capability 00200000") {
			t.Errorf("%s has lost its capability: %s", name, tree[name])
		}
	}
}

// TestCopyIsFast: COPY onto a tree that is there, with --exclude, of a wildcard, and of a new tree, beside cp -a of
// the same files. TOASTER_TEST_FILES=60000 takes some minutes.
func TestCopyIsFast(t *testing.T) {
	b := newRoot(t)
	files := 3000
	if n, err := strconv.Atoi(os.Getenv("TOASTER_TEST_FILES")); err == nil {
		files = n
	}
	for i := range files {
		folder := filepath.Join(b.root, "src", strconv.Itoa(i/100))
		if i%100 == 0 {
			run(t, "mkdir", "-p", folder)
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("f%d", i)), make([]byte, i*97%9000),
			0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "cp", "-a", filepath.Join(b.root, "src"), filepath.Join(b.root, "onto"))
	copies := []string{"--exclude=*.none /src /excluded", "/src /onto", "/src/*/* /glob/",
		"--chown=1:1 --chmod=u=rwX,go=rX /src /given"}
	text := "FROM debian:bookworm AS b\nRUN true\nFROM debian:bookworm\nRUN sleep 1; cat /proc/uptime > /t0\n"
	for i, c := range copies {
		text += fmt.Sprintf("COPY --from=b %s\nRUN cat /proc/uptime > /t%d\n", c, i+1)
	}
	_, dir := translateText(t, b, text)
	onto, fresh := cpTime(t, dir, b.root, "onto"), cpTime(t, dir, b.root, "new")
	if out, err := zsh(dir, `strapdir=$PWD/root; source ./app.blend; blend_postinst`); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	onto, fresh = onto+cpTime(t, dir, b.root, "onto"), fresh+cpTime(t, dir, b.root, "new")
	before := uptime(t, dir, 0)
	for i, c := range copies {
		cp := fresh / 2
		if strings.HasSuffix(c, "onto") {
			cp = onto / 2
		}
		now := uptime(t, dir, i+1)
		t.Logf("COPY %s: %.1f s, cp -a %.1f s: %.2f times", c, now-before, cp, (now-before)/cp)
		if now-before > 4*cp+4 {
			t.Errorf("COPY %s takes too long", c)
		}
		before = now
	}
}

// cpTime is how long cp -a of the files takes, to a folder that is there or not.
func cpTime(t *testing.T, dir, root, to string) float64 {
	place := filepath.Join(dir, to)
	os.RemoveAll(place)
	if to == "onto" {
		run(t, "cp", "-a", filepath.Join(root, to), place)
	}
	begin := time.Now()
	if out, err := exec.Command("cp", "-a", "--remove-destination", "-T", filepath.Join(root, "src"),
		place).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return time.Since(begin).Seconds()
}

func uptime(t *testing.T, dir string, n int) (seconds float64) {
	text, err := os.ReadFile(filepath.Join(dir, "root", fmt.Sprintf("t%d", n)))
	if err == nil {
		_, err = fmt.Sscan(string(text), &seconds)
	}
	if err != nil {
		t.Fatal(err)
	}
	return seconds
}
