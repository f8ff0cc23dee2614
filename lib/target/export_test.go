package target

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"toaster.do/lib/shell"
)

// SlowImage returns the folder and the script of a build with the tests' SDK whose instruction never ends: it has loop
// devices and mounts by then.
func SlowImage(t *testing.T) (dir string, script []byte) {
	t.Helper()
	canImage(t)
	fakeDebootstrap(t)
	tools, _, _ := strings.Cut(os.Getenv("PATH"), ":")
	sdk := miniSDK(t, "vm", "new")
	b := image(t, sdk, sdkRecipe(t, "vm", "FROM devuan/devuan:daedalus\nRUN sleep 987654\n"))
	path := filepath.Join(b.dir, "build.sh")
	text := strings.Replace(readFile(t, path), "\n",
		"\nexport PATH="+shell.Quote(tools)+":$PATH TOASTER_SDK_DIR="+shell.Quote(sdk)+"\n", 1)
	write(t, path, text, 0o600)
	return b.dir, []byte(text)
}

// Nothing checks that no mount, loop device, process or file of a build is in dir, except those that are named.
func Nothing(t *testing.T, dir string, except ...string) {
	t.Helper()
	b := &run{dir: dir, err: os.ErrProcessDone}
	b.hasNoLoop(t)
	b.hasNoProcess(t)
	if mounts := readFile(t, "/proc/self/mounts"); strings.Contains(mounts, dir) {
		t.Errorf("a mount is left:\n%s", mounts)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.Contains(" "+strings.Join(except, " ")+" ", " "+e.Name()+" ") {
			t.Error("the build left " + e.Name())
		}
	}
}
