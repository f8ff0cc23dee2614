package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"toaster.do/lib/engine"
	"toaster.do/lib/store"
)

// webUser is some user who is not root.
const webUser = 65534

// asWebUser names the variable that makes the test binary what a CGI program is: a process of the web user.
const asWebUser = "LOCAL_TEST_WEB_USER"

// On an installed host root starts the runner, and the database belongs to the web user.
func TestRootRunsBuildsForTheWebUser(t *testing.T) {
	needRoot(t)
	h := newHouse(t)
	h.db.Close()
	h.WorkDir = filepath.Join(t.TempDir(), "work")
	dir := filepath.Dir(h.Database)
	if err := errors.Join(chown(dir), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	h.process()
	settings, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asWebUser+"="+string(settings))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"uid=0(root) gid=0(root)", "root may chown", "removed"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the web user did not see %q:\n%s", want, out)
		}
	}
	// Nothing of root's is left where the web user has to write.
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if fi, err := entry.Info(); err == nil && fi.Sys().(*syscall.Stat_t).Uid != webUser {
			t.Errorf("%s belongs to uid %d", path, fi.Sys().(*syscall.Stat_t).Uid)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	h.until("the working directory is cleared", func() bool {
		inside, _ := filepath.Glob(filepath.Join(h.WorkDir, "*", "*"))
		return len(inside) == 0
	})
	if someoneMarked(h.WorkDir) {
		t.Error("a process of a build lives")
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("this test needs root")
	}
	t.Skip("this test needs root")
}

func chown(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, webUser, webUser)
	})
}

// webUserMain builds as the pages would have it, and prints what it sees.
func webUserMain(settings string) error {
	if err := syscall.Setresgid(webUser, webUser, webUser); err != nil {
		return err
	}
	if err := syscall.Setresuid(webUser, webUser, webUser); err != nil {
		return err
	}
	var h house
	if err := json.Unmarshal([]byte(settings), &h); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db, err := store.Open(ctx, h.Database)
	if err != nil {
		return err
	}
	defer db.Close()
	e := New(db, h.Dir)
	script := "set -e; id; touch x; chown 4711:4711 x && echo root may chown; mkdir -p rootfs/deep; touch rootfs/deep/file; chown -R 4711 rootfs; " +
		"mkdir -p dist/sub; umask 077; echo image >dist/image; echo deep >dist/sub/deep; setsid sleep 600 & " +
		"setsid setpriv --reuid=4711 --regid=4711 --clear-groups sleep 600 &\n"
	if err := e.Create(ctx, engine.Job{Name: "job", Script: []byte(script), Keep: 1}); err != nil {
		return err
	}
	for range 2 {
		if err := buildOnce(ctx, e); err != nil {
			return err
		}
	}
	if err := e.Remove(ctx, "job"); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(h.Dir, "job")); !os.IsNotExist(err) {
		return fmt.Errorf("the job's folder after Remove: %v", err)
	}
	fmt.Println("removed")
	return nil
}

func buildOnce(ctx context.Context, e *Engine) error {
	ticket, err := e.Start(ctx, "job")
	if err != nil {
		return err
	}
	var b engine.BuildStatus
	for ; b.Ticket != ticket || !b.State.Ended(); time.Sleep(20 * time.Millisecond) {
		all, err := e.Status(ctx, "job")
		if err != nil {
			return err
		}
		if builds := all["job"].Builds; len(builds) > 0 {
			b = builds[0]
		}
	}
	c, err := e.Log(ctx, "job", b.Number, 0)
	fmt.Printf("%s: %s\n%s%v\n", b.State, b.Reason, c.Text, err)
	for path, want := range map[string]string{"image": "image\n", "sub/deep": "deep\n"} {
		s, err := e.Open(ctx, "job", b.Number, path, engine.Range{})
		if err != nil {
			return err
		}
		text, err := io.ReadAll(s)
		s.Close()
		if err != nil || string(text) != want {
			return fmt.Errorf("%s: %q, %w", path, text, err)
		}
	}
	return nil
}
