package target

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A kernel without FAT is told of before anything is built, for the boards whose cards begin with it.
func TestAKernelWithoutFAT(t *testing.T) {
	canImage(t)
	fakeDebootstrap(t)
	tools := t.TempDir()
	write(t, filepath.Join(tools, "modprobe"), "#!/bin/sh\nexit 1\n", 0o755)
	t.Setenv("PATH", tools+":"+os.Getenv("PATH"))
	for _, c := range []struct {
		board, filesystems string
		code               int
		last               string
	}{
		{"raspi3", "nodev\ttmpfs\n\text4\n", ExitHost,
			"toaster: failed: the kernel of this host does not support vfat, which the first partition of the card of raspi3 " +
				"needs."},
		{"raspi3", "nodev\ttmpfs\n\text4\n\tvfat\n", ExitFailed,
			"toaster: failed: the SDK failed: the SDK could not be loaded."}, // the tests' has no such board
		{"toyboard", "\text4\n", 0, "toaster: done"},
	} {
		r := sdkRecipe(t, "arm", page)
		r.Target.Board = c.board
		b := image(t, miniSDK(t, "arm", "new"), r)
		list, script := filepath.Join(t.TempDir(), "filesystems"), filepath.Join(b.dir, "build.sh")
		write(t, list, c.filesystems, 0o600)
		write(t, script, strings.Replace(readFile(t, script), "/proc/filesystems", list, 1), 0o600)
		b.start(t)
		b.end()
		b.wants(t, c.code, c.last)
		b.isClean(t)
	}
}
