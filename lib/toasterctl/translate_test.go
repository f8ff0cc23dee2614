package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLint(t *testing.T) {
	bad := write(t, filepath.Join(t.TempDir(), "Dockerfile"), "FROM debian:bookworm\n\nCOPPY a b\n")
	ctl(t, "", "lint", bad).exits(1).says(bad+":3: error ", "COPY")
	ctl(t, simple, "lint", "-").exits(0)
	copies := "FROM debian:bookworm\nCOPY a b\n"
	ctl(t, copies, "lint", "-").exits(0)
	ctl(t, copies, "lint", "--context", t.TempDir(), "-").exits(1).says("Dockerfile:2: error ", "not in the build context")
	ctl(t, "FROM debian:bookworm\nMAINTAINER ann\n", "lint", "-").exits(0).says("Dockerfile:2: warning")

	var findings []struct {
		Line           int
		Level, Message string
	}
	out := ctl(t, "", "lint", "--json", bad).exits(1).out
	if err := json.Unmarshal([]byte(out), &findings); err != nil || len(findings) != 1 || findings[0].Line != 3 ||
		findings[0].Level != "error" {
		t.Errorf("%v: %s", err, out)
	}
	if out := ctl(t, simple, "lint", "--json", "-").exits(0).out; strings.TrimSpace(out) != "[]" {
		t.Errorf("nothing to find is %q, not []", out)
	}
}

func TestWhatIsNoDockerfile(t *testing.T) {
	ctl(t, "", "lint", "-").exits(1).complains("empty")
	ctl(t, "\xff\xfe\n", "lint", "-").exits(1).says("UTF-8")
	ctl(t, strings.Repeat("# x\n", 1<<15), "lint", "-").exits(1).complains("65536 bytes")
	ctl(t, "", "lint", t.TempDir()).exits(1).complains("is a directory")
	a := ctl(t, "FROM debian:bookworm\nRUN\x1b[2J x\x1b]0;owned\a\nRUNN\x1b[31m\n", "lint", "-").exits(1)
	if strings.ContainsAny(a.out+a.err, "\x1b\a") {
		t.Errorf("the terminal is in the Dockerfile's hands: %q", a.out+a.err)
	}
}

func TestBlend(t *testing.T) {
	dir := t.TempDir()
	dockerfile := write(t, filepath.Join(dir, "Dockerfile"),
		"FROM debian:bookworm\nARG WHO=world\nCOPY greeting /greeting\nRUN echo $WHO\nCMD [\"sleep\", \"60\"]\n")
	greeting := write(t, filepath.Join(dir, "greeting"), "hello\n")
	if err := os.Chtimes(greeting, time.Time{}, time.Unix(1_600_000_000, 999_000_000)); err != nil {
		t.Fatal(err)
	}
	tar := filepath.Join(t.TempDir(), "context.tar")
	if out, err := exec.Command("tar", "-C", dir, "-cf", tar, "greeting", "Dockerfile").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	folder := ctl(t, "", "blend", "--context", dir, "--build-arg", "WHO=ann", dockerfile).exits(0)
	archive := ctl(t, "", "blend", "--context", tar, "--build-arg", "WHO=ann", dockerfile).exits(0)
	if folder.out == "" || folder.out != archive.out {
		t.Error("a folder and an archive of it give different blends")
	}
	if other := ctl(t, "", "blend", "--context", dir, dockerfile).exits(0); other.out == folder.out {
		t.Error("the build argument changes nothing")
	}

	given := ctl(t, "", "blend", "--context", dir, "--env", "A=it's $x", "--env", "B=", dockerfile).exits(0)
	if given.out == folder.out {
		t.Error("the runtime environment changes nothing")
	}

	lacking := ctl(t, "", "blend", dockerfile).exits(1).complains(dockerfile+":3: error", "greeting")
	if lacking.out != "" {
		t.Errorf("a blend all the same: %s", lacking.out)
	}
	ctl(t, "", "blend", "--context", dockerfile, dockerfile).exits(1).complains("not a readable archive")
	ctl(t, "", "blend", "--context", filepath.Join(dir, "none"), dockerfile).exits(1).complains("none")
}

func TestScriptIsPosixSh(t *testing.T) {
	script := ctl(t, simple, "script", "--target", rootfs, "-").exits(0)
	sh := ended(t, script.out, exec.Command("sh", "-n")).exits(0)
	if sh.err != "" || !strings.HasPrefix(script.out, "#!/bin/sh\n") {
		t.Errorf("sh says %q of:\n%.200s", sh.err, script.out)
	}
	if again := ctl(t, simple, "script", "--target", rootfs, "-"); again.out != script.out {
		t.Error("the same input gives other bytes")
	}
	ctl(t, simple, "script", "--target", "toast", "-").exits(1).complains("toast", "Choose one of", rootfs)
}

// TestContextOut: what is needed of a context lies beside the script where that is asked for, whether it is a folder or
// an archive, and nothing of it is in the script.
func TestContextOut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "project")
	write(t, filepath.Join(dir, "Dockerfile"), "FROM debian:bookworm\nCOPY needed /\n")
	write(t, filepath.Join(dir, "needed"), "needed\n")
	write(t, filepath.Join(dir, "other"), "not needed\n")
	archive := filepath.Join(t.TempDir(), "project.tar.xz")
	if out, err := exec.Command("tar", "-C", filepath.Dir(dir), "-cJf", archive, "project").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var scripts, beside []string
	for _, context := range []string{dir, archive} {
		out := filepath.Join(t.TempDir(), "context.tar")
		script := ctl(t, "", "script", "--target", "rootfs_amd64_bookworm", "--context", context, "--context-out",
			out).exits(0).out
		text, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		scripts, beside = append(scripts, script), append(beside, string(text))
	}
	if scripts[0] != scripts[1] || beside[0] != beside[1] {
		t.Error("a folder and an archive of it give different scripts, or files beside them")
	}
	if !strings.Contains(scripts[0], "\n# It takes the build context sha256:") || !strings.Contains(beside[0], "\x00needed\n") ||
		strings.Contains(beside[0], "not needed") {
		t.Errorf("the script is\n%.2000s\nand beside it is %q", scripts[0], beside[0])
	}
	inside := ctl(t, "", "script", "--target", "rootfs_amd64_bookworm", "--context", dir).exits(0).out
	if strings.Contains(inside, "toaster_reader()") {
		t.Error("a small context is not in the script")
	}
	out := filepath.Join(t.TempDir(), "none.tar")
	write(t, filepath.Join(dir, "Dockerfile"), "FROM debian:bookworm\n")
	ctl(t, "", "blend", "--context", dir, "--context-out", out).exits(0).complains("none.tar was not written")
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "toasterctl-context-*")); len(left) > 0 {
		t.Errorf("the commands left %q", left)
	}
}
