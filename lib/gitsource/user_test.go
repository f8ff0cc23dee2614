package gitsource

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestFetchAsTheWebServersUser: no root is needed. Git reads no file of that user, and sees no process of it.
func TestFetchAsTheWebServersUser(t *testing.T) {
	if url := os.Getenv("FETCH_URL"); url != "" {
		o := Options{URL: url, Dir: os.Getenv("FETCH_DIR"), TimeLimit: time.Minute, MaxBytes: 1 << 20, MaxEntries: 200,
			Allow: []string{os.Getenv("FETCH_ALLOW")}}
		if _, files, _ := fetched(t, o); files["file"] != "644 one\n" {
			t.Errorf("%v", files)
		}
		return
	}
	if os.Getuid() != 0 {
		lack(t, "only root becomes somebody else")
	}
	port := daemon(t, repositories(t))
	o := options(t, fmt.Sprintf("git://%s:%d/main.git", loopback, port), port)
	if err := os.Chmod(o.Dir, 0o777); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	copied := o.Dir + "/gitsource.test"
	sh(t, o.Dir, `cp "$1" "$2"; chmod 755 "$2"`, self, copied)
	// This host's device of the network may be root's alone.
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-ec", `
mkdir "$1"; mount -t tmpfs -o mode=755 none "$1"; mknod -m 666 "$1/tun" c 10 200; mount --bind "$1/tun" /dev/net/tun
exec setpriv --reuid=65534 --regid=65534 --clear-groups "$2" -test.run '^TestFetchAsTheWebServersUser$' -test.v`, "sh",
		o.Dir+"/dev", copied)
	cmd.Dir = o.Dir
	cmd.Env = append(os.Environ(), "FETCH_URL="+o.URL, "FETCH_DIR="+o.Dir+"/fetches", "FETCH_ALLOW="+o.Allow[0])
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v: %s", err, out)
	}
}
