package cgibin

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const withSecrets = "FROM debian:bookworm\nRUN --mount=type=secret,id=npmrc,required true\n" +
	"RUN --mount=type=ssh --mount=type=secret,id=other,env=OTHER true\nCMD [\"x\"]\n"

// lacks sees that no file of the site has a text.
func (s *site) lacks(what, text string) {
	s.t.Helper()
	files, err := filepath.Glob(s.dir + "/*")
	s.must(err)
	for _, file := range files {
		if data, _ := os.ReadFile(file); strings.Contains(string(data), text) {
			s.t.Errorf("%s: %s has the secret", what, file)
		}
	}
}

func TestABuildIsGivenSecrets(t *testing.T) {
	const secret = "a-value-that-is-found-again"
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	a := c.post("/jobs", "text", withSecrets, "target", target, "start", "1")
	j := a.json(t)
	problem, _ := j["start_error"].(map[string]any)
	if a.status != http.StatusCreated || problem["code"] != "secret_missing" ||
		!strings.Contains(fmt.Sprint(problem["detail"]), "npmrc") || strings.Contains(fmt.Sprint(problem), "other") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if want := "[map[name:npmrc required:true] map[name:ssh.default required:false] map[name:other required:false]]"; fmt.
		Sprint(j["secrets"]) != want {
		t.Errorf("%v", j["secrets"])
	}
	start := "/jobs/" + j["id"].(string) + "/start"
	many := []string{"secret.npmrc", "x"}
	for i := range 20 {
		many = append(many, fmt.Sprintf("secret.x%d", i), "x")
	}
	for name, c := range map[string]struct {
		status int
		a      *answer
	}{
		"none":             {422, c.post(start)},
		"the other only":   {422, c.post(start, "secret.other", "x")},
		"unknown":          {422, c.post(start, "secret.npmrc", "x", "secret.npmrc2", "x")},
		"no name":          {422, c.post(start, "secret.npmrc", "x", "secret.", "x")},
		"a path":           {422, c.post(start, "secret.npmrc", "x", "secret.../npmrc", "x")},
		"of two lines":     {422, c.post(start, "secret.npmrc", "x", "secret.npmrc\n", "x")},
		"for a shell":      {422, c.post(start, "secret.npmrc", "x", "secret.npmrc;id", "x")},
		"no secret":        {422, c.post(start, "secret", "x")},
		"too large":        {413, c.post(start, "secret.npmrc", strings.Repeat("x", 64<<10+1))},
		"a file too large": {413, c.post(start, "secret.npmrc:n", strings.Repeat("x", 64<<10+1))},
		"too many":         {422, c.post(start, many...)},
		"twice":            {400, c.post(start, "secret.npmrc", "x", "secret.npmrc", "y")},
		"a wrong key": {422, c.post(start, "secret.npmrc", "x", "secret.ssh.default",
			"-----BEGIN RSA PRIVATE KEY-----\n")},
		"another's":    {404, s.program(s.token(bob, "write")).post(start, "secret.npmrc", "x")},
		"only to read": {403, s.program(s.token(ada, "read")).post(start, "secret.npmrc", "x")},
	} {
		if c.a.status != c.status {
			t.Errorf("%s: %d, not %d: %s", name, c.a.status, c.status, c.a.body)
		}
	}
	if n := s.count("SELECT count(*) FROM build"); n != 0 {
		t.Fatalf("%d builds", n)
	}
	key := filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	private, err := os.ReadFile(key)
	s.must(err)
	once := c.with("Idempotency-Key", "one")
	form := []string{"secret.npmrc:npmrc", secret, "secret.other", "", "secret.ssh.default", string(private)}
	if a := once.post(start, form...); a.status != 202 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := once.post(start, form...); a.status != 202 ||
		a.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the same again: %d %s", a.status, a.body)
	}
	if a := once.post(start, "secret.npmrc:npmrc", secret+"2"); a.status != 422 {
		t.Errorf("another secret with the same key: %d %s", a.status, a.body)
	}
	if n := s.count("SELECT count(*) FROM local_build WHERE secrets IS NOT NULL"); n != 1 {
		t.Errorf("%d starts have secrets", n)
	}
	if n := s.count("SELECT count(*) FROM build_secret"); n != 0 {
		t.Errorf("%d builds have them, though the engine has", n)
	}
	s.lacks("a build that waits", secret)
	s.lacks("a build that waits", strings.Split(string(private), "\n")[2])
	if a := c.post("/jobs/check", "text", withSecrets, "target", target); !strings.Contains(a.body,
		`"secrets":[{"name":"npmrc","required":true}`) {
		t.Error(a.body)
	}
}

func TestAPersonIsAskedForSecrets(t *testing.T) {
	const secret = "a-value-that-is-found-again"
	s := newSite(t)
	c := s.browser(ada)
	a := c.post("/jobs", "text", withSecrets, "target", target, "start", "1")
	job, _, _ := strings.Cut(a.header.Get("Location"), "?")
	page := c.follow(a)
	for _, want := range []string{"This build needs secrets that it was not given: npmrc.", `name="secret.npmrc"`,
		`name="secret.ssh.default"`, `autocomplete="off"`} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the job's page lacks %q: %s", want, page.body)
		}
	}
	a = c.post(job+"/start", "secret.npmrc", secret, "secret.npmrc:", "", "secret.other", "", "secret.other:", "")
	if a.status != http.StatusSeeOther || !strings.HasSuffix(a.header.Get("Location"), "/builds/1") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for _, path := range []string{job, job + "/builds/1", job + "/script", job + "/blend", job + "/update"} {
		if a := c.get(path); a.status != 200 || strings.Contains(a.body, secret) {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	// Wrong, and then sent while logged out: it is not kept for later.
	a = c.post(job+"/start", "secret.npmrc", secret, "secret.none", secret)
	if a.status != 422 || strings.Contains(a.body, secret) {
		t.Errorf("%d %s", a.status, a.body)
	}
	a = s.anybody().post(job+"/start", "secret.npmrc", secret, "secret.x:file", secret)
	if a.status != http.StatusSeeOther || strings.Contains(a.header.Get("Location"), "draft") {
		t.Errorf("%d %v", a.status, a.header)
	}
	s.sql("UPDATE session SET expires_at = 1")
	c.post(job+"/start", "secret.npmrc", secret, "secret.x:file", secret)
	c.post("/jobs", "text", withSecrets, "target", target, "secret.npmrc:file", secret)
	if n := s.count("SELECT count(*) FROM draft"); n != 1 {
		t.Errorf("%d forms are kept", n)
	}
	s.lacks("after all", secret)
}

func TestBuildsOnJenkinsAreGivenNoSecrets(t *testing.T) {
	s := newSite(t, `[jenkins]`, `url = "http://127.0.0.1:1/"`, `user = "toaster"`, `token = "x"`)
	c := s.program(s.token(ada, "write"))
	id := c.addJob()
	s.sql(`UPDATE translation SET secrets = '[{"name":"npmrc","required":true}]'`)
	s.jenkins()
	for _, fields := range [][]string{nil, {"secret.npmrc", "x"}} {
		a := c.post("/jobs/"+id+"/start", fields...)
		if a.status != http.StatusConflict || !strings.Contains(a.body, "run on Jenkins") {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	s.sql(`UPDATE translation SET secrets = '[{"name":"npmrc","required":false}]'`)
	if a := c.post("/jobs/" + id + "/start"); a.status != http.StatusAccepted {
		t.Errorf("without: %d %s", a.status, a.body)
	}
}
