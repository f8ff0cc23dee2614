package difftest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"toaster.do/lib/dockerfile"
)

// TestEnteredTwice: the part of a build that makes the image finds the base as the part before has left it, with its
// owners and setuid programs.
func TestEnteredTwice(t *testing.T) {
	if _, err := exec.LookPath("zsh"); err != nil || os.Geteuid() != 0 {
		lack(t, "zsh is not installed, or not root")
	}
	blend, findings := dockerfile.Translate(dockerfile.Source{Dockerfile: []byte("FROM debian:bookworm\nRUN true\n")})
	if blend == nil {
		t.Fatal(findings)
	}
	work := filepath.Join(t.TempDir(), "work")
	if err := os.Mkdir(work, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(work, "blend"), blend.Text, 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, "zsh", "-fc", `source $1/blend && toaster_tools $1`, "toaster", work)
	enter := func(command string) string {
		t.Helper()
		cmd := exec.Command("zsh", "-f", filepath.Join(work, "enter"), "", work, "sh", "-ec", command)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	enter(": >program; chown 42:43 program; chmod 6755 program")
	if err := os.WriteFile(filepath.Join(work, "between"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := enter("stat -c '%u:%g %a' program between"); got != "42:43 6755\n0:0 644\n" {
		t.Error(got)
	}
}
