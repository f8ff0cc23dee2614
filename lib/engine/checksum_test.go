package engine

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestParseChecksum: what sha256sum prints of files with any name is read, in text and in binary mode.
func TestParseChecksum(t *testing.T) {
	dir := t.TempDir()
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, name := range []string{"image", "two words", " *odd", `back\slash`, "new\nline", "carriage\rreturn", "größe"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, mode := range []string{"--text", "--binary"} {
			cmd := exec.Command("sha256sum", mode, "--", "./"+name)
			cmd.Dir = dir
			line, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			if got, digest, ok := ParseChecksum(strings.TrimSuffix(string(line), "\n")); !ok || got != name || digest != empty {
				t.Errorf("%q: %q, %q, %v", line, got, digest, ok)
			}
		}
	}
	for _, line := range []string{"", "x", empty, empty + "  ", empty + " x", strings.Repeat("g", 64) + "  x"} {
		if name, _, ok := ParseChecksum(line); ok {
			t.Errorf("%q names %q", line, name)
		}
	}
}
