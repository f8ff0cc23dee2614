package target

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// canBuild skips where builds can't run; under CI=true, where they must, the builds themselves will say why not.
func canBuild(t *testing.T) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		return
	}
	if testing.Short() {
		t.Skip("builds take a minute")
	}
	for _, tool := range []string{"mmdebstrap", "zsh"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	if out, err := exec.Command("unshare", "--map-root-user", "--map-auto", "--mount",
		"true").CombinedOutput(); err != nil && os.Getuid() != 0 {
		t.Skipf("no user namespaces for this user: %s", out)
	}
}

// run is one run of a script in a folder of its own.
type run struct {
	dir     string
	env     []string
	cmd     *exec.Cmd
	log     bytes.Buffer
	stepped chan struct{} // closed when the first step is in the log, or the script ends
	read    chan struct{} // closed when the log is complete
	err     error
}

func prepare(t *testing.T, script []byte) *run {
	t.Helper()
	r := &run{dir: t.TempDir(), stepped: make(chan struct{}), read: make(chan struct{})}
	if err := os.Chmod(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(r.dir, "build.sh"), string(script), 0o600)
	return r
}

func start(t *testing.T, script []byte) *run {
	t.Helper()
	r := prepare(t, script)
	r.start(t)
	return r
}

// start runs the script, or a command that does.
func (r *run) start(t *testing.T, command ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	if len(command) == 0 {
		command = []string{"sh", "build.sh"}
	}
	r.cmd = exec.CommandContext(ctx, command[0], command[1:]...)
	r.cmd.Dir = r.dir
	r.cmd.Env = append(append(os.Environ(), "BUILD_NUMBER=7"), r.env...)
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.cmd.Stderr = r.cmd.Stdout
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go r.follow(out)
}

func (r *run) follow(out io.Reader) {
	defer close(r.read)
	stepped := sync.OnceFunc(func() { close(r.stepped) })
	defer stepped()
	buf := make([]byte, 4096)
	for {
		n, err := out.Read(buf)
		r.log.Write(buf[:n])
		if bytes.Contains(r.log.Bytes(), []byte("TOASTER-STEP")) {
			stepped()
		}
		if err != nil {
			return
		}
	}
}

// end waits until the script and all that writes to its log have ended.
func (r *run) end() {
	<-r.read
	r.err = r.cmd.Wait()
}

func (r *run) wants(t *testing.T, code int, last string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(r.log.String()), "\n")
	if exitCode(r.err) != code || !strings.HasPrefix(lines[len(lines)-1], last) {
		t.Errorf("exit %d, want %d with the last line %q; log:\n%s", exitCode(r.err), code, last, r.log.String())
	}
}

// isClean checks that the build has left nothing but its result.
func (r *run) isClean(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "build.sh" && (e.Name() != "dist" || r.err != nil) {
			t.Error("the build left " + e.Name())
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(mounts, []byte(r.dir)) {
		t.Errorf("the build left a mount:\n%s", mounts)
	}
	r.hasNoProcess(t)
}

func (r *run) hasNoProcess(t *testing.T) {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range dirs {
		if at, err := os.Readlink(link); err == nil && strings.HasPrefix(at, r.dir) {
			t.Errorf("process %s still runs in %s", link, at)
		}
	}
}

func (r *run) file(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, "dist", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func exitCode(err error) int {
	var e *exec.ExitError
	if errors.As(err, &e) {
		return e.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}

type entry struct {
	tar.Header
	body string // of a small file
}

func contents(t *testing.T, image []byte) map[string]entry {
	t.Helper()
	unzip := exec.Command("gzip", "-dc") // which the race detector doesn't make ten times slower
	unzip.Stdin = bytes.NewReader(image)
	archive, err := unzip.Output()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]entry{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		var body []byte
		if h.Size < 64<<10 {
			if body, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
		files[h.Name] = entry{*h, string(body)}
	}
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}
