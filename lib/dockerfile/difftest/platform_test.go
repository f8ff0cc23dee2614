package difftest

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"toaster.do/lib/dockerfile"
	"toaster.do/lib/image"
)

// TestStagesOfOtherPlatforms: a stage of another platform gives its files to the image. Its programs run where the
// host has qemu for them; elsewhere the step says what is missing.
func TestStagesOfOtherPlatforms(t *testing.T) {
	b := newRoot(t)
	other, name, machine := "arm64", "qemu-aarch64", "\xb7"
	if runtime.GOARCH == other {
		other, name, machine = "amd64", "qemu-x86_64", "\x3e"
	}
	registered, _ := os.ReadFile("/proc/sys/fs/binfmt_misc/" + name)
	runs := strings.Contains(string(registered), "enabled") &&
		regexp.MustCompile(`(?m)^flags: .*F`).Match(registered)
	program := []byte("\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00" + machine + "\x00\x01\x00\x00\x00" +
		strings.Repeat("\x00", 40))
	if runs {
		program = compiled(t, other)
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := w.WriteHeader(&tar.Header{Name: "prog", Mode: 0o755, Size: int64(len(program))}); err != nil {
		t.Fatal(err)
	}
	w.Write(program)
	w.Close()
	locked, host := serveImage(t, "linux/"+other, [][]byte{packed(t, layer.Bytes())}, nil)
	b.registry = host
	for name, c := range map[string]struct{ run, want string }{
		"files alone": {"", ""},
		"programs":    {"RUN [\"/prog\"]", "toaster: /prog is for another processor than this host's"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "programs" && runs {
				c.want = ""
			}
			text := "FROM --platform=linux/" + other + " " + locked.Reference + " AS other\nENV A=b\n" + c.run +
				"\nFROM debian:bookworm\nRUN echo $TARGETARCH; true\nCOPY --chmod=755 --from=other / /other/\n"
			blend, findings := dockerfile.Translate(dockerfile.Source{Dockerfile: []byte(text), Arch: runtime.GOARCH,
				Lock: image.Lock{locked}})
			if blend == nil {
				t.Fatal(findings)
			}
			root, said, err := b.run(blend, t.TempDir(), "")
			if (err != nil) != (c.want != "") || !strings.Contains(said, c.want) {
				t.Fatalf("%v: %q is missing in\n%s", err, c.want, said)
			}
			if err != nil {
				return
			}
			if data, err := os.ReadFile(filepath.Join(root, "other/prog")); err != nil || string(data) != string(program) {
				t.Error("another program", err)
			}
			if c.run != "" && (!exists(filepath.Join(root, "other/made")) || !strings.Contains(said, "I run")) {
				t.Errorf("it has not run\n%s", said)
			}
		})
	}
}

// compiled is a program that makes the folder /made.
func compiled(t *testing.T, arch string) []byte {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/main.go", []byte("package main\n\nimport \"syscall\"\n\nfunc main() { "+
		"syscall.Mkdir(\"/made\", 0o700); syscall.Write(1, []byte(\"I run\\n\")) }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", dir+"/program", dir+"/main.go")
	build.Env = append(os.Environ(), "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program, err := os.ReadFile(dir + "/program")
	if err != nil {
		t.Fatal(err)
	}
	return program
}
