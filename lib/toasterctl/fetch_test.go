package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"toaster.do/lib/config"
	"toaster.do/lib/engine"
	"toaster.do/lib/jobs"
	"toaster.do/lib/store"
)

// repositorySite is a site with two jobs whose builds wait for a repository, which a server has that does not answer
// while hangs is true.
func repositorySite(t *testing.T, hangs *atomic.Bool) (path string, db *store.DB, ids []string) {
	t.Helper()
	const backend = "/usr/lib/git-core/git-http-backend"
	for _, tool := range []string{backend, "/usr/bin/slirp4netns", "/usr/bin/crun"} {
		if _, err := os.Stat(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	dir := t.TempDir()
	out, err := exec.Command("sh", "-ec", `cd "$0"; git init -q -b main p; cd p; printf '%s' "$1" >Dockerfile; git add .
git -c user.name=a -c user.email=a commit -qm x; cd ..; git clone -q --bare p p.git`, dir, simple).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	git := &cgi.Handler{Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1",
		"GIT_CONFIG_COUNT=1",
		"GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hangs.Load() {
			<-r.Context().Done()
			return
		}
		git.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	path = newSite(t)
	for at := filepath.Dir(path); at != "/" && at != os.TempDir(); at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil { // git is somebody else where root fetches
			t.Fatal(err)
		}
	}
	ofRoot(t, path)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, tail, found := strings.Cut(string(text), "[git]\n")
	if !found {
		t.Fatal("the configuration has no [git]")
	}
	write(t, path, head+"[git]\n"+strings.Replace(tail, "allow = []", `allow = ["10.0.2.2:`+port+`"]`, 1))
	w := &world{ctx: t.Context(), config: path, out: os.Stdout, err: os.Stderr}
	if err := w.withService(func(_ *config.Config, s *site) error {
		owner, err := s.DB.UserByEmail(t.Context(), email)
		if err != nil {
			return err
		}
		for range 2 {
			job, err := s.Add(t.Context(), owner, jobs.Submission{Target: rootfs,
				Git: &jobs.Repository{URL: fmt.Sprintf("http://10.0.2.2:%s/p.git", port)}})
			if err != nil {
				return err
			}
			if _, _, err := s.Start(t.Context(), owner.ID, job.ID, nil); err != nil {
				return err
			}
			ids = append(ids, job.ID)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if db, err = store.Open(t.Context(), filepath.Join(filepath.Dir(path), "toaster.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return path, db, ids
}

// TestAFetchThatIsKilledIsDoneAgain: nothing of it runs on, or is left, and no build is lost. Two at once are one.
func TestAFetchThatIsKilledIsDoneAgain(t *testing.T) {
	var hangs atomic.Bool
	hangs.Store(true)
	path, db, ids := repositorySite(t, &hangs)
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	places := filepath.Join(filepath.Dir(cfg.Paths.Database), "git", "fetch-*")
	if os.Getuid() == 0 {
		places = filepath.Join(cfg.Local.WorkDir, "git", "fetch-*")
	}
	cmd := exec.Command(filepath.Join(bin, "toasterctl"), "fetch", "--config", path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var sandboxes []string
	for len(sandboxes) == 0 { // it has its pipe once it runs; the other one of the same owner waits
		sandboxes, _ = filepath.Glob(places + "/slirp")
		time.Sleep(20 * time.Millisecond)
	}
	ctl(t, "", "fetch", "--config", path).exits(0) // it leaves the work to the other one
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	for _, one := range sandboxes { // all that ran in them is gone soon
		for exec.Command("pgrep", "-f", filepath.Dir(one)).Run() == nil {
			time.Sleep(20 * time.Millisecond)
		}
	}
	for _, id := range ids {
		if b, err := db.Build(t.Context(), 1, id, 1); err != nil || b.State != engine.Queued || !b.Fetching {
			t.Fatalf("%+v, %v", b, err)
		}
	}
	hangs.Store(false)
	ctl(t, "", "fetch", "--config", path).exits(0)
	for _, id := range ids {
		b, err := db.Build(t.Context(), 1, id, 1)
		if err != nil || b.State != engine.Queued || b.Fetching || b.Ticket == "" {
			t.Errorf("%+v, %v", b, err)
		}
		if sources, err := db.Sources(t.Context(), 1, id); err != nil || len(sources[b.Revision].Commit) != 40 {
			t.Errorf("%v, %v", sources, err)
		}
	}
	if left, _ := filepath.Glob(places); len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}
}

// TestSyncFetches: where no runner does so.
func TestSyncFetches(t *testing.T) {
	path, db, ids := repositorySite(t, new(atomic.Bool))
	ctl(t, "", "sync", "--config", path).exits(0)
	for _, id := range ids {
		for {
			b, err := db.Build(t.Context(), 1, id, 1)
			if err != nil || b.State != engine.Queued {
				t.Fatalf("%+v, %v", b, err)
			}
			if !b.Fetching {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}
