package cgibin

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"toaster.do/lib/config"
	"toaster.do/lib/engine/jenkins/jenkinstest"
)

// agents is a site whose builds run on the agents of a Jenkins, and which they can reach.
type agents struct {
	*site
	controller *jenkinstest.Server
	url        string
	mu         sync.Mutex
	asked      []string // of contexts, in order: ranges
	log        bytes.Buffer
}

func newAgents(t *testing.T, opt jenkinstest.Options, settings ...string) *agents {
	t.Helper()
	a := &agents{controller: jenkinstest.Start(t, opt)}
	server := httptest.NewUnstartedServer(http.HandlerFunc(a.serve))
	a.url = "http://" + server.Listener.Addr().String()
	a.site = newSite(t, append(settings, "[jenkins]", `url = "`+a.controller.URL+`"`, `user = "toaster"`,
		`token = "toaster-token"`, "[site]", `url = "`+a.url+`"`)...)
	a.jenkins()
	server.Start()
	t.Cleanup(server.Close)
	return a
}

// serve runs the program as a web server does.
func (a *agents) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	if strings.HasPrefix(r.URL.Path, "/jobs/contexts/") {
		a.asked = append(a.asked, r.Header.Get("Range"))
	}
	a.mu.Unlock()
	h := cgi.Handler{Path: filepath.Join(programs, "jobs"), Root: "/jobs", Env: []string{"TOASTER_CONF=" + a.conf()},
		Stderr: &locked{&a.mu, &a.log}}
	h.ServeHTTP(w, r)
}

type locked struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (a *agents) requests() (all []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all, a.asked = a.asked, nil
	return all
}

const copies = "FROM debian:bookworm\nCOPY big /big\n"

// random is a text that can't be packed.
func random(n int) string {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{9}).Read(b)
	return string(b)
}

func (a *agents) add(c *client, content string, fields ...string) string {
	a.t.Helper()
	job := c.post("/jobs", append(fields, "text", copies, "target", target, "context:c.tar.gz",
		archive(a.t, "big", content, "other", content[:99]))...)
	if job.status != http.StatusCreated {
		a.t.Fatal(job.status, job.body)
	}
	return job.json(a.t)["id"].(string)
}

// job is a job's config.xml on the controller; with a text, that becomes it.
func (a *agents) job(id, text string) string {
	a.t.Helper()
	var name string
	db := a.open()
	defer db.Close()
	a.must(db.QueryRow("SELECT engine_name FROM job WHERE id = ?", id).Scan(&name))
	method := "GET"
	if text != "" {
		method = "POST"
	}
	r, err := http.NewRequest(method, a.controller.URL+"/job/"+name+"/config.xml", strings.NewReader(text))
	a.must(err)
	r.SetBasicAuth("admin", "admin-token")
	r.Header.Set("Content-Type", "application/xml")
	resp, err := http.DefaultClient.Do(r)
	a.must(err)
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	a.must(err)
	if resp.StatusCode != 200 {
		a.t.Fatalf("%s: %s", resp.Status, got)
	}
	return string(got)
}

// address is where the agents get a job's context, below the site's own.
func (a *agents) address(id string) string {
	a.t.Helper()
	m := regexp.MustCompile(regexp.QuoteMeta(a.url) + `(/jobs/contexts/([\w-]{24})/` + id + `/[0-9a-f]{64}\.tar)`).
		FindStringSubmatch(a.job(id, ""))
	if m == nil {
		a.t.Fatalf("the job has no address: %.3000s", a.job(id, ""))
	}
	return m[1]
}

func (a *agents) fetch(method, path string, header ...string) (*http.Response, string) {
	a.t.Helper()
	r, err := http.NewRequest(method, a.url+path, nil)
	a.must(err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	a.must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	a.must(err)
	return resp, string(body)
}

// An address of a context is good as long as a build needs it, for that job and that context alone.
func TestTheAddressOfAContext(t *testing.T) {
	s := newAgents(t, jenkinstest.Options{Executors: -1})
	c := s.program(s.token(ada, "write"))
	content := random(5 << 20)
	id, other := s.add(c, content), s.add(s.program(s.token(bob, "write")), content)
	path, others := s.address(id), s.address(other)
	status := func(want int, path string) {
		t.Helper()
		if resp, body := s.fetch("GET", path); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d: %.300s", path, resp.StatusCode, want, body)
		}
	}
	status(410, path)
	c.post("/jobs/" + id + "/start")
	resp, body := s.fetch("GET", path)
	if resp.StatusCode != 200 || resp.ContentLength != int64(len(body)) || !strings.Contains(body, content) ||
		strings.Contains(body, fmt.Sprintf("blobs/%x", sha256.Sum256([]byte(content[:99])))) ||
		resp.Header.Get("Cache-Control") != "no-store" || len(resp.Cookies()) > 0 {
		t.Fatalf("%d, %d bytes of %d, %v", resp.StatusCode, len(body), resp.ContentLength, resp.Header)
	}
	if again, same := s.fetch("GET", path); same != body || again.Header.Get("ETag") != resp.Header.Get("ETag") {
		t.Error("the next time it is another")
	}
	for _, at := range []int{1, 511, 512, 5000, 1 << 20, len(body) - 1} {
		resp, part := s.fetch("GET", path, "Range", fmt.Sprintf("bytes=%d-", at), "If-Range", resp.Header.Get("ETag"))
		if resp.StatusCode != 206 || part != body[at:] {
			t.Errorf("from %d on: %d, %d bytes", at, resp.StatusCode, len(part))
		}
	}
	if resp, _ := s.fetch("GET", path, "Range", fmt.Sprintf("bytes=%d-", len(body))); resp.StatusCode != 416 {
		t.Errorf("beyond its end: %d", resp.StatusCode)
	}
	if resp, _ := s.fetch("HEAD", path); resp.StatusCode != 200 || resp.ContentLength != int64(len(body)) {
		t.Errorf("HEAD: %d, %d bytes", resp.StatusCode, resp.ContentLength)
	}
	part := func(path string, n int) string { return strings.Split(path, "/")[n] }
	status(410, others) // its build was not started
	for name, path := range map[string]string{
		"another job's signature": strings.Replace(path, part(path, 3), part(others, 3), 1),
		"another job":             strings.Replace(path, id, other, 1),
		"another context":         path[:len(path)-5] + map[bool]string{true: "1", false: "0"}[path[len(path)-5] == '0'] + ".tar",
		"no signature":            strings.Replace(path, part(path, 3), "x", 1),
		"no context":              strings.Replace(path, part(path, 5), "..", 1),
		"without .tar":            strings.TrimSuffix(path, ".tar"),
	} {
		t.Run(name, func(t *testing.T) { status(404, path) })
	}
	for range 80 {
		if resp, _ := s.fetch("GET", strings.Replace(path, part(path, 3), "x", 1)); resp.StatusCode == 429 {
			break
		}
	}
	status(429, strings.Replace(path, part(path, 3), "x", 1))
	status(200, path) // who has it can go on
	s.must(config.AddKeys(s.cfg.Paths.Keys, 2))
	status(200, path)
	c.post("/jobs/" + id + "/stop")
	status(410, path)
	if resp, body := s.fetch("GET", path, "Accept", "application/json"); !strings.Contains(body,
		"No build needs this build context") {
		t.Errorf("%s: %s", resp.Status, body)
	}
	s.must(config.DropKeys(s.cfg.Paths.Keys, 1))
	status(429, path) // it is nobody's any more
	s.mu.Lock()
	log := s.log.String()
	s.mu.Unlock()
	if strings.Contains(log, part(path, 3)) || strings.Contains(log, part(others, 3)) {
		t.Error("the log has an address")
	}
}

// A context whose files were deleted is told of, by the address and by a build.
func TestAContextThatIsGone(t *testing.T) {
	s := newAgents(t, jenkinstest.Options{Executors: -1})
	c := s.program(s.token(ada, "write"))
	id := s.add(c, random(2<<20), "start", "1")
	path := s.address(id)
	s.must(os.RemoveAll(s.cfg.Paths.Contexts))
	resp, body := s.fetch("GET", path, "Accept", "application/json")
	if resp.StatusCode != 410 || !strings.Contains(body, "Upload the context again") {
		t.Errorf("%s: %s", resp.Status, body)
	}
}

// A site that has no address refuses what its agents can't get, and says why.
func TestALargeContextNeedsTheSitesAddress(t *testing.T) {
	s := newAgents(t, jenkinstest.Options{Executors: -1})
	text, err := os.ReadFile(s.conf())
	s.must(err)
	s.must(os.WriteFile(s.conf(), bytes.ReplaceAll(text, []byte(`url = "`+s.url+`"`), nil), 0o600))
	c := s.program(s.token(ada, "write"))
	a := c.post("/jobs", "text", copies, "target", target, "context:c.tar.gz", archive(t, "big", random(2<<20)))
	if a.status != 409 && a.status != 422 || a.json(t)["field"] != "context" || a.json(t)["code"] != "no_site_url" ||
		s.stored() != "0 jobs, 0 revisions, 0 builds" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := c.post("/jobs", "text", copies, "target", target, "context:c.tar.gz", archive(t, "big", "x")); a.status != 201 {
		t.Errorf("a small one: %d %s", a.status, a.body)
	}
}

// The way of a large context: from the form into a build on an agent, which has it only once, and the next build has
// what was changed.
func TestABuildOnAnAgentGetsItsContext(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("TOASTER_CACHE_DIR", cache)
	s := newAgents(t, jenkinstest.Options{Executors: 2})
	c := s.program(s.token(ada, "write"))
	content := random(5 << 20)
	id := s.add(c, content)
	build := func(number int, content string) {
		t.Helper()
		s.shorten(id)
		c.post("/jobs/" + id + "/start")
		state := ""
		for end := time.Now().Add(time.Minute); state != "succeeded" && time.Now().Before(end); {
			s.sql("UPDATE job SET seen_at = 0")
			b := c.get(fmt.Sprintf("/jobs/%s/builds/%d", id, number)).json(t)
			state = b["state"].(string)
			if state == "failed" {
				break
			}
		}
		log := c.get(fmt.Sprintf("/jobs/%s/builds/%d/log", id, number)).body
		if state != "succeeded" || !strings.Contains(log, fmt.Sprintf("%x  -\n", sha256.Sum256([]byte(content)))) ||
			strings.Contains(log, "/contexts/") && strings.Contains(log, s.address(id)) {
			t.Fatalf("build %d %s: %s", number, state, log)
		}
	}
	build(1, content)
	if got := s.requests(); len(got) != 1 {
		t.Errorf("the first build asked for %q", got)
	}
	build(2, content)
	if got := s.requests(); len(got) != 0 {
		t.Errorf("the second build asked for %q", got)
	}
	content = content[1:]
	a := c.post("/jobs/"+id+"/update", "text", copies, "context:c.tar.gz", archive(t, "big", content))
	if a.status != 200 {
		t.Fatal(a.status, a.body)
	}
	build(3, content)
	if got := s.requests(); len(got) != 1 {
		t.Errorf("with another context it asked for %q", got)
	}
}

// shorten gives a job on the controller a script that only looks at its context; all around it stays.
func (a *agents) shorten(id string) {
	a.t.Helper()
	text := a.job(id, "")
	const mark = "TOASTER-END-OF-SCRIPT"
	end := strings.LastIndex(text, mark)
	begin := strings.LastIndex(text[:max(0, strings.Index(text, mark))], "&#xA;") + len("&#xA;")
	if end < begin {
		a.t.Fatalf("the job has no script: %.2000s", text)
	}
	var script bytes.Buffer
	a.must(xml.EscapeText(&script, []byte("cat <<'TOASTER-END-OF-SCRIPT'\n"+
		"tar -xOf \"$TOASTER_CONTEXT\" --wildcards 'blobs/*' | sha256sum\nmkdir dist; echo image >dist/image\n")))
	a.job(id, text[:begin]+script.String()+text[end:])
}

func TestAContextIsNeverWholeInMemory(t *testing.T) {
	s := newAgents(t, jenkinstest.Options{Executors: -1})
	c := s.program(s.token(ada, "write"))
	id := s.add(c, strings.Repeat("\x00", 300<<20))
	c.post("/jobs/" + id + "/start") // by now, it is defined
	path := s.address(id)
	program, env := c.environment("GET", path, "", 0)
	if peak := s.measure(program, env, 300<<20); peak > 32<<20 {
		t.Errorf("the process took %d bytes", peak)
	}
}
