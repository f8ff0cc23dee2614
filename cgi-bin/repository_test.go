package cgibin

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/app"
	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

// gitDaemon serves a folder with project.git; commit adds a commit to it.
func gitDaemon(t *testing.T) (port int, commit func(script string) string) {
	t.Helper()
	for _, tool := range []string{"/usr/lib/git-core/git-daemon", "/usr/bin/slirp4netns", "/usr/bin/crun"} {
		if _, err := os.Stat(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	dir := t.TempDir()
	commit = func(script string) string {
		t.Helper()
		cmd := exec.Command("sh", "-ec", script+"\ngit add -A; git commit -qm x; git rev-parse HEAD")
		cmd.Dir = dir + "/project.git"
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a",
			"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if out, err := exec.Command("git", "init", "-q", "-b", "main", dir+"/project.git").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	cmd := exec.Command("/usr/lib/git-core/git-daemon", "--export-all", "--base-path="+dir, "--listen=127.0.0.1",
		fmt.Sprintf("--port=%d", port), "--reuseaddr")
	cmd.Env = append(os.Environ(), "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
			return port, commit
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// fetchAll does what “toasterctl fetch” does.
func (s *site) fetchAll() {
	s.t.Helper()
	s.must(s.fetch(s.t.Context()))
}

func (s *site) fetch(ctx context.Context) error {
	service, err := app.Service(s.cfg, s.db, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	service.Git.Dir = filepath.Join("/var/tmp", filepath.Base(filepath.Dir(s.dir))+"-git") // nobody is locked out there
	defer os.RemoveAll(service.Git.Dir)
	return service.FetchDue(ctx)
}

// TestASlowServerKeepsNobodyElseWaiting: what somebody else needs is fetched while one doesn't answer.
func TestASlowServerKeepsNobodyElseWaiting(t *testing.T) {
	port, commit := gitDaemon(t)
	commit("printf '" + strings.ReplaceAll(good, "\n", `\n`) + "' >Dockerfile; echo hi >hello.txt")
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	slow := silent.Addr().(*net.TCPAddr).Port
	s := newSite(t, "[git]", fmt.Sprintf(`allow = ["10.0.2.2:%d", "10.0.2.2:%d"]`, port, slow))
	add := func(program *client, port int) string {
		t.Helper()
		a := program.post("/jobs", "git_url", fmt.Sprintf("git://10.0.2.2:%d/project.git", port), "target", target)
		if a.status != http.StatusCreated {
			t.Fatal(a.status, a.body)
		}
		return "/jobs/" + a.json(t)["id"].(string)
	}
	one, other := s.program(s.token(ada, "write")), s.program(s.token(bob, "write"))
	add(one, slow)
	add(one, slow)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- s.fetch(ctx)
		silent.Close()
	}()
	held, err := silent.Accept()
	if err != nil {
		t.Fatal("nothing is fetched: ", <-ended)
	}
	defer held.Close()
	job := add(other, port)
	for {
		j := other.get(job).json(t)
		if problem, _ := j["repository"].(map[string]any)["problem"].(string); problem != "" {
			t.Fatal(problem)
		}
		if j["revision"] == 2.0 {
			break
		}
		select {
		case err := <-ended:
			t.Fatal("the slow server was not waited for: ", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
	cancel()
	<-ended
}

// TestAJobFromARepository: a job names a repository; each build fetches it, and remembers the commit.
func TestAJobFromARepository(t *testing.T) {
	port, commit := gitDaemon(t)
	first := commit("mkdir app; printf '" + strings.ReplaceAll(good, "\n", `\n`) + "' >app/Dockerfile\n" +
		"echo hi >app/hello.txt")
	s := newSite(t, "[git]", fmt.Sprintf(`allow = ["10.0.2.2:%d"]`, port))
	url := fmt.Sprintf("git://10.0.2.2:%d/project.git", port)
	program, c := s.program(s.token(ada, "write")), s.browser(ada)
	a := program.post("/jobs", "git_url", url, "git_folder", "app", "target", target, "start", "1", "schedule", "week")
	job := a.json(t)
	id, _ := job["id"].(string)
	if a.status != http.StatusCreated || job["name"] != "project" {
		t.Fatal(a.status, a.body)
	}
	if r := program.get("/jobs/" + id).json(t)["repository"].(map[string]any); r["fetching"] != true ||
		r["git_url"] != url {
		t.Errorf("%v", r)
	}
	for _, path := range []string{"/jobs/" + id, "/jobs/" + id + "/builds/1", "/jobs/" + id + "/update",
		"/jobs/" + id + "/copy"} {
		if a := c.get(path); a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := c.get("/jobs/" + id + "/builds/1"); !strings.Contains(a.body, "Fetching the repository.") {
		t.Errorf("the build doesn't say what it waits for: %s", a.body)
	}
	s.fetchAll()
	b := program.get("/jobs/" + id + "/builds/1").json(t)
	source, _ := b["source"].(map[string]any)
	if source["commit"] != first || source["repository"] != url || b["state"] != "queued" || b["revision"] != 2.0 {
		t.Errorf("%v", b)
	}
	if a := program.get("/jobs/" + id + "/dockerfile"); a.body != good {
		t.Errorf("its Dockerfile is %q", a.body)
	}
	if a := program.get("/jobs/" + id + "/script"); a.status != 200 || !strings.Contains(a.body, `"commit":"`+first+`"`) {
		t.Errorf("the script has no commit: %d %.300s", a.status, a.body)
	}
	if a := c.get("/jobs/" + id + "/builds/1"); !strings.Contains(a.body, first) {
		t.Error("the build's page has no commit")
	}
	if a := c.get("/jobs/" + id); !strings.Contains(a.body, first) || !strings.Contains(a.body, "Every week") &&
		!strings.Contains(a.body, "Built every week") {
		t.Errorf("the job's page: %s", a.body)
	}

	// The branch moves: the next build has the new commit, the one before keeps its own.
	s.sql("UPDATE build SET state = 'succeeded', finalized = 1")
	second := commit("echo hello >app/hello.txt")
	program.post("/jobs/" + id + "/start")
	s.fetchAll()
	list := program.get("/jobs/" + id).json(t)["builds"].([]any)
	commits := ""
	for _, b := range list {
		commits += b.(map[string]any)["source"].(map[string]any)["commit"].(string) + " "
	}
	if commits != second+" "+first+" " {
		t.Errorf("the builds are made from %q, not from %s and %s", commits, second, first)
	}
	if a := program.get("/jobs/" + id + "/compare?from=1&to=2"); !strings.Contains(a.body, second) {
		t.Errorf("the comparison: %s", a.body)
	}
	// Nothing has changed: no new revision.
	s.sql("UPDATE build SET state = 'succeeded', finalized = 1")
	program.post("/jobs/" + id + "/fetch")
	s.fetchAll()
	if job := program.get("/jobs/" + id).json(t); job["revision"] != 3.0 {
		t.Errorf("looking made a revision: %v", job["revision"])
	}
	// What can't be fetched fails the build, with a reason.
	if a := program.post("/jobs/"+id+"/update", "git_url", url, "git_folder", "app", "git_ref", "none"); a.status != 200 {
		t.Fatal(a.status, a.body)
	}
	program.post("/jobs/" + id + "/start")
	s.fetchAll()
	if b := program.get("/jobs/" + id + "/builds/3").json(t); b["state"] != "failed" ||
		!strings.Contains(b["reason"].(string), "no branch, tag or commit none") {
		t.Errorf("%v", b)
	}
}

// TestKeysOfRepositories: they are stored sealed, and never shown.
func TestKeysOfRepositories(t *testing.T) {
	s := newSite(t)
	program, c := s.program(s.token(ada, "write")), s.browser(ada)
	const token = "glpat-very-secret-token"
	a := program.post("/jobs", "git_url", "https://git.example.org/project.git", "git_token", token, "target", target)
	if a.status != http.StatusCreated {
		t.Fatal(a.status, a.body)
	}
	id := a.json(t)["id"].(string)
	pages := a.body
	for _, path := range []string{"", "/update", "/copy"} {
		pages += c.get("/jobs/" + id + path).body
	}
	pages += program.get("/jobs/" + id).body
	if strings.Contains(pages, token) || !strings.Contains(pages, `"has_secret":true`) {
		t.Errorf("pages: %s", pages)
	}
	for _, name := range []string{"toaster.db", "toaster.db-wal"} {
		if text, err := os.ReadFile(s.dir + "/db/" + name); err == nil && strings.Contains(string(text), token) {
			t.Errorf("%s has the token", name)
		}
	}
	secret := func() (n int) {
		t.Helper()
		list, err := s.db.GitSecrets(t.Context())
		s.must(err)
		return len(list)
	}
	// It stays for the same server, and goes nowhere else.
	program.post("/jobs/"+id+"/update", "git_url", "https://git.example.org/other.git")
	if secret() != 1 {
		t.Error("the token is gone")
	}
	program.post("/jobs/"+id+"/update", "git_url", "https://evil.example.net/project.git")
	if secret() != 0 {
		t.Error("the token of another server is kept")
	}
	for _, sent := range [][]string{
		{"git_url", "https://ada:secret@example.org/x.git"}, {"git_url", "ext::sh -c id"}, {"git_url", "file:///etc"},
		{"git_url", "--upload-pack=x"}, {"git_url", "http://example.org/x.git"}, {"git_url", "https://127.0.0.1/x.git"},
		{"git_url", "https://example.org/x.git", "git_ref", "--upload-pack=x"},
		{"git_url", "https://example.org/x.git", "git_folder", "../x"},
		{"git_url", "https://example.org/x.git", "dockerfile_path", "../x"},
		{"git_url", "https://example.org/x.git", "git_key", "x"}, {"git_url", "git@example.org:x.git", "git_token", "x"},
		{"git_url", "git@example.org:x.git", "git_key", "x"}, {"git_url", "https://example.org/x.git", "schedule", "hour"},
	} {
		field := sent[len(sent)-2]
		a := program.post("/jobs", append([]string{"target", target}, sent...)...)
		if a.status != 422 || a.json(t)["field"] != field {
			t.Errorf("%v: %d %s", sent, a.status, a.body)
		}
		if a := c.post("/jobs", append([]string{"target", target}, sent...)...); a.status != 422 ||
			!strings.Contains(a.body, `id="`+field+`-fault"`) && !strings.Contains(a.body, "id="+field+"-fault") {
			t.Errorf("%v: %d, no message at the field", sent, a.status)
		}
	}
	// Another person sees none of it.
	if a := s.program(s.token(bob, store.ScopeWrite)).post("/jobs/" + id + "/fetch"); a.status != 404 {
		t.Errorf("bob: %d", a.status)
	}
	// New keys of the site seal what is there again.
	if a := program.post("/jobs/"+id+"/update", "git_url", "https://git.example.org/x.git", "git_token", token); a.status != 200 {
		t.Fatal(a.status, a.body)
	}
	s.must(config.AddKeys(s.cfg.Paths.Keys, 9))
	for _, want := range []int{1, 0} {
		stale, lost, err := app.SealGitSecrets(t.Context(), s.cfg, s.db)
		if err != nil || stale != want || lost != 0 {
			t.Errorf("%d sealed again, %d lost, %v", stale, lost, err)
		}
		s.must(config.DropKeys(s.cfg.Paths.Keys, 1))
	}
}
