package hostile

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// The builds run as on a real host: as root, with the real script, blend and sandbox. Only the base is small,
// made of busybox and probe, and the network is one of the tests' own.

func TestMain(m *testing.M) {
	code := m.Run()
	if theHost != nil {
		code = max(code, theHost.close())
	}
	os.Exit(code)
}

// onHost returns the host with its canaries, which all tests of a run share; it skips where hostile builds
// can't be tried.
func onHost(t *testing.T) *host {
	t.Helper()
	if testing.Short() {
		t.Skip("hostile builds take minutes")
	}
	if os.Getuid() != 0 {
		lack(t, "not root")
	}
	for _, tool := range strings.Fields("busybox zsh losetup nsenter ip mksquashfs xorriso parted qemu-img cpio script") {
		if _, err := exec.LookPath(tool); err != nil {
			lack(t, err.Error())
		}
	}
	makeHost.Do(func() { hostError = newHost() })
	if hostError != nil {
		lack(t, hostError.Error())
	}
	return theHost
}

var (
	makeHost  sync.Once
	theHost   *host
	hostError error
)

// lack skips where a developer lacks something, and fails where all must be there.
func lack(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// sh runs a script in dir and returns what it says.
func sh(dir, script string, args ...string) (string, error) {
	cmd := exec.Command("sh", append([]string{"-ec", script, "sh"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return strings.TrimSpace(string(out)), err
}

// script runs a file of the suite's.
func script(file string, args ...string) (string, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	return sh("/", `sh "$@"`, append([]string{file}, args...)...)
}

// program compiles one of the suite's programs without the C library.
func program(to, path string, env ...string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", to, path)
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", path, err, out)
	}
	return nil
}

func write(path, text string, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}
