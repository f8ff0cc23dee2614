package conf_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// An upgrade of Debian's package waits for the builds that run, and stops the runner only then. Where it is given up,
// the runner comes back.
func TestTheUpgradeDrainsTheRunner(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	for _, tool := range []string{"toasterctl", "invoke-rc.d", "deb-systemd-invoke", "deb-systemd-helper", "update-rc.d",
		"systemctl"} {
		script := "#!/bin/sh\necho \"${0##*/} $*\" >>" + log + "\n[ \"${0##*/}\" != toasterctl ]\n" // the limit has passed
		if err := os.WriteFile(filepath.Join(dir, tool), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run := func(script string, args ...string) string {
		t.Helper()
		cmd := exec.Command("sh", append([]string{"debian/" + script}, args...)...)
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "DPKG_MAINTSCRIPT_PACKAGE=toaster",
			"DPKG_MAINTSCRIPT_NAME="+script)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", script, args, err, out)
		}
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		os.Remove(log)
		return string(text)
	}
	lines := strings.Split(run("prerm", "upgrade", "2.0"), "\n")
	if len(lines) < 2 || lines[0] != "toasterctl runner --drain --limit 10m" || !strings.Contains(lines[1], " stop") {
		t.Errorf("at an upgrade it runs %q", lines)
	}
	if again := run("postinst", "abort-upgrade", "2.0"); !strings.Contains(again, "toaster-runner") ||
		!strings.Contains(again, "start") {
		t.Errorf("given up, it runs %q", again)
	}
}
