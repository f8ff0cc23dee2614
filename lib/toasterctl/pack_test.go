package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/buildcontext"
	"toaster.do/lib/dockerfile"
)

func TestPackLeavesOutWhatIsIgnored(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, ".dockerignore"), "# ours\n.git\n*.log\nsub/*\n!sub/keep\n.dockerignore\n")
	for _, name := range []string{".git/config", "a", "b.log", "sub/drop", "sub/keep", "sub/deep/b.log"} {
		write(t, filepath.Join(dir, name), name)
	}
	if err := os.Symlink("a", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	archive, err := buildcontext.Pack(dir, "", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	c, err := dockerfile.ReadContext(archive, dockerfile.Limits{})
	want := []string{".dockerignore", "a", "link", "sub", "sub/keep"}
	if err != nil || !slices.Equal(c.Paths(), want) {
		t.Errorf("%v: packed %q, not %q", err, c.Paths(), want)
	}
}

// TestPackGoesByTheDockerfile: NAME.dockerignore counts alone for a Dockerfile of that name, and a wrong pattern is
// named with its line.
func TestPackGoesByTheDockerfile(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"docker/app.Dockerfile": "FROM debian:bookworm\nCOPY . /c/\n",
		"secret": "", "public": "",
		"docker/app.Dockerfile.dockerignore": "secret\ndocker\n", ".dockerignore": "public\n"} {
		write(t, filepath.Join(dir, name), text)
	}
	if err := os.Link(filepath.Join(dir, "public"), filepath.Join(dir, "public2")); err != nil {
		t.Fatal(err)
	}
	archive, err := buildcontext.Pack(dir, "docker/app.Dockerfile", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	c, err := dockerfile.ReadContext(archive, dockerfile.Limits{})
	want := []string{".dockerignore", "docker", "docker/app.Dockerfile", "docker/app.Dockerfile.dockerignore",
		"public", "public2"}
	if err != nil || !slices.Equal(c.Paths(), want) {
		t.Errorf("%v: packed %q, not %q", err, c.Paths(), want)
	}
	blend := write(t, filepath.Join(t.TempDir(), "blend"),
		ctl(t, "", "blend", "--context", dir, filepath.Join(dir, "docker/app.Dockerfile")).exits(0).out)
	list, err := exec.Command("zsh", "-fc", `source $1; toaster_unpack $2 && tar -tvf $2/context.tar.gz`, "zsh", blend,
		t.TempDir()).CombinedOutput()
	if err != nil || !strings.Contains(string(list), "./public2 link to ./public\n") ||
		strings.Contains(string(list), "secret") {
		t.Errorf("%v: the blend has %s", err, list)
	}
	write(t, filepath.Join(dir, "docker/other.Dockerfile"), "FROM debian:bookworm\n")
	write(t, filepath.Join(dir, ".dockerignore"), "# a comment\n\nok\n[wrong\n")
	ctl(t, "", "blend", "--context", dir, filepath.Join(dir, "docker/other.Dockerfile")).exits(1).
		complains(".dockerignore:4: ", `"[wrong"`)
}

// TestPackGoesByADockerfileOutside: so does one beside a Dockerfile that is not in the folder, which leaves no trace.
func TestPackGoesByADockerfileOutside(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"outside/app": "FROM debian:bookworm\nCOPY . /c/\n",
		"outside/app.dockerignore": "secret", "in/secret": "", "in/public": "", "in/.dockerignore": "public\n"} {
		write(t, filepath.Join(dir, name), text)
	}
	folder := filepath.Join(dir, "in")
	unpack := `source $1; toaster_unpack $2 && tar -tf $2/context.tar.gz`
	lists := func(blend string) {
		t.Helper()
		list, err := exec.Command("zsh", "-fc", unpack, "zsh", blend, t.TempDir()).CombinedOutput()
		if want := ".//\n./.dockerignore\n./public\n"; err != nil || string(list) != want {
			t.Errorf("%v: the blend has %q, not %q", err, list, want)
		}
	}
	lists(write(t, filepath.Join(t.TempDir(), "blend"),
		ctl(t, "", "blend", "--context", folder, filepath.Join(dir, "outside/app")).exits(0).out))
	archive, err := buildcontext.Pack(folder, "../outside/app", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	lists(write(t, filepath.Join(t.TempDir(), "blend"), ctl(t, "", "blend", "--context",
		write(t, filepath.Join(t.TempDir(), "context.tar.gz"), string(archive)),
		filepath.Join(dir, "outside/app")).exits(0).out))
}

func TestPackGivesTheSameBytes(t *testing.T) {
	var archives [2][]byte
	for i := range archives {
		dir := t.TempDir()
		for _, name := range []string{"b", "a", "c/d"} {
			path := write(t, filepath.Join(dir, name), name)
			if err := os.Chtimes(path, time.Time{}, time.Unix(1_600_000_000, int64(i)*999_000_000)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chtimes(filepath.Join(dir, "c"), time.Time{}, time.Unix(1_600_000_000, 0)); err != nil {
			t.Fatal(err)
		}
		var err error
		if archives[i], err = buildcontext.Pack(dir, "", 1<<20); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("equal folders give different archives")
	}
}

func TestPackHasALimit(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a"), "12345678")
	if _, err := buildcontext.Pack(dir, "", 8); err != nil {
		t.Error(err)
	}
	if _, err := buildcontext.Pack(dir, "", 7); apperr.KindOf(err) != apperr.TooLarge {
		t.Errorf("8 bytes in a context of 7: %v", err)
	}
}
