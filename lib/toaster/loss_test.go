package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// lossy is set where the tests run in a network of their own, which loses packets.
const lossy = "TOASTER_TEST_LOSSY"

// TestTwoPercentOfThePacketsAreLost: a build still succeeds, and all of it arrives as it was sent.
func TestTwoPercentOfThePacketsAreLost(t *testing.T) {
	if os.Getenv(lossy) == "" {
		lose := `ip link set lo mtu 1500 up; tc qdisc add dev lo root netem loss 2% 2>/dev/null ||
iptables -A INPUT -i lo -m statistic --mode random --probability 0.02 -j DROP || exit 77; exec "$@"`
		cmd := exec.Command("unshare", "-n", "sh", "-c", lose, "sh", os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), lossy+"="+programs)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() == 77 && os.Getenv("CI") != "true" {
			t.Skipf("packets can't be lost here: %s", out)
		}
		if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
			t.Fatalf("%v: %s", err, out)
		}
		t.Logf("%s", out)
		return
	}
	s := newInstance(t)
	s.runner("seq 20000; mkdir dist; seq 300000 >dist/image; (cd dist && sha256sum image >SHA256SUMS)")
	u := s.user()
	u.write("big", random(1, 3_000_000))
	for i := range 50 {
		u.write(fmt.Sprint("small", i), random(i, 10_000))
	}
	if r := u.toaster("build", "-t", vm).exits(0); r.out != seq(20_000) {
		t.Errorf("a log of %d bytes", len(r.out))
	}
	image, err := os.ReadFile(filepath.Join(u.project, "dist", vm, "image"))
	if err != nil || string(image) != seq(300_000) {
		t.Errorf("%v, %d bytes", err, len(image))
	}
	out, err := exec.Command("sh", "-c", "tc -s qdisc show dev lo; iptables -vnL INPUT").CombinedOutput()
	if err != nil {
		t.Log(err)
	}
	t.Logf("%s", out)
}
