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

// webUser is some user who is not root, and keepUser another, whose the builds are.
const (
	webUser  = 65534
	keepUser = 4712
)

// asWebUser names the variable that makes the test binary what a CGI program is: a process of the web user.
const asWebUser = "LOCAL_TEST_WEB_USER"

// On an installed host root starts the runner, the database belongs to the web user, and the builds to another, for
// the web user to read.
func TestRootRunsBuildsForTheWebUser(t *testing.T) {
	needRoot(t)
	h := newFixture(t)
	h.db.Close()
	h.WorkDir = filepath.Join(t.TempDir(), "work")
	dir := filepath.Dir(h.Database)
	if err := errors.Join(chown(dir), os.Chmod(filepath.Dir(dir), 0o755), os.Mkdir(h.Dir, 0o750),
		os.Lchown(h.Dir, keepUser, webUser)); err != nil {
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
		fi, err := entry.Info()
		if err != nil {
			return nil
		}
		owner, whose := uint32(webUser), fi.Sys().(*syscall.Stat_t)
		if strings.HasPrefix(path, h.Dir) {
			owner = keepUser
		}
		if whose.Uid != owner || whose.Gid != webUser || owner == keepUser && fi.Mode().Perm()&0o022 != 0 {
			t.Errorf("%s belongs to %d:%d, with the rights %v", path, whose.Uid, whose.Gid, fi.Mode())
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
	var h fixture
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
	e := scripted{New(db, h.Dir)}
	script := "set -e; id; touch x; chown 4711:4711 x && echo root may chown; mkdir -p rootfs/deep; touch " +
		"rootfs/deep/file; chown -R 4711 rootfs; " +
		"mkdir -p dist/sub; umask 077; echo image >dist/image; echo deep >dist/sub/deep; setsid sleep 600 & " +
		"setsid setpriv --reuid=4711 --regid=4711 --clear-groups sleep 600 &\n"
	if err := os.WriteFile(filepath.Join(h.Dir, "x"), nil, 0o600); !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("the web user may write among the builds: %v", err)
	}
	if err := e.Create(ctx, engine.Job{Name: "job", Script: []byte(script)}); err != nil {
		return err
	}
	for range 2 {
		if err := buildOnce(ctx, e); err != nil {
			return err
		}
	}
	if err = e.Remove(ctx, "job"); err != nil {
		return err
	}
	for !os.IsNotExist(err) && ctx.Err() == nil {
		_, err = os.Stat(filepath.Join(h.Dir, "job"))
		time.Sleep(tick / 5)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("the job's folder after Remove: %v", err)
	}
	fmt.Println("removed")
	return nil
}

func buildOnce(ctx context.Context, e engine.Engine) error {
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

// Whoever has the folder above can put another in the place of one; a runner of root's then begins not at all, or
// keeps the one it has.
func TestNoLinkLeadsRootAstray(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	mine, theirs := filepath.Join(dir, "root"), filepath.Join(dir, "web")
	if err := errors.Join(os.Mkdir(mine, 0o755), os.Mkdir(theirs, 0o755),
		os.Symlink(mine, filepath.Join(theirs, "builds")),
		os.Symlink(mine, filepath.Join(theirs, "work")), os.Lchown(theirs, webUser, webUser)); err != nil {
		t.Fatal(err)
	}
	for what, k := range map[string]Executor{
		"a link for the builds": {Dir: filepath.Join(theirs, "builds"), WorkDir: filepath.Join(mine, "work")},
		"a link for the work":   {Dir: mine, WorkDir: filepath.Join(theirs, "work", "deeper")},
		"work in their folder":  {Dir: mine, WorkDir: filepath.Join(theirs, "deeper")},
	} {
		dispatcherConn, executorConn, err := connPair()
		if err != nil {
			t.Fatal(err)
		}
		k.Separate = true
		err = k.Run(t.Context(), executorConn)
		dispatcherConn.Close()
		if err == nil {
			t.Errorf("%s: the runner begins", what)
		}
	}
	if names, err := os.ReadDir(mine); err != nil || len(names) > 1 { // the runners' own folder may be there
		t.Errorf("root has made %v, %v", names, err)
	}
	k := Executor{Dir: filepath.Join(theirs, "real"), WorkDir: filepath.Join(mine, "work"), Separate: true}
	if err := os.Mkdir(k.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	h := newHostile(t, k)
	if err := errors.Join(os.Rename(k.Dir, k.Dir+".away"), os.Symlink(filepath.Join(mine, "target"), k.Dir),
		os.Mkdir(filepath.Join(mine, "target"), 0o755)); err != nil {
		t.Fatal(err)
	}
	if a := h.asks(request{Op: opPrepare, Ticket: 1, Job: "job", Number: 1}); a.Error != "" {
		t.Error(a.Error)
	}
	if names, err := os.ReadDir(filepath.Join(mine, "target")); err != nil || len(names) > 0 {
		t.Errorf("it wrote where the link leads: %v, %v", names, err)
	}
	if _, err := os.Stat(filepath.Join(k.Dir+".away", "job", "1", "log")); err != nil {
		t.Error(err)
	}
}
