package cgibin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/engine"
	"toaster.do/lib/engine/local"
)

// run lets the local engine build what is queued, with a script of the test's in place of the real one, and
// returns when build number of the job has ended.
func (s *site) run(c *client, id string, number int, script string) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error)
	r := local.Runner{DB: s.db, Executor: local.Executor{
		Make: func(engine.Source) (engine.Made, error) { return engine.Made{Script: []byte(script)}, nil },
		Dir:  s.cfg.Paths.Builds, WorkDir: s.dir + "/work", Concurrency: 1, Log: slog.New(slog.DiscardHandler),
	}}
	go func() { ended <- r.Run(ctx) }()
	defer func() {
		cancel()
		s.must(<-ended)
	}()
	for range 600 {
		s.sql("UPDATE job SET seen_at = 0") // as if the last look was long ago
		state := c.get(fmt.Sprintf("/jobs/%s/builds/%d", id, number)).json(s.t)["state"]
		if state != "queued" && state != "running" {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.t.Fatal("the build doesn't end: ", c.get("/jobs/"+id).body)
}

const content = "0123456789abcdef"

// built is a site with a build that has succeeded, and left three files.
func built(t *testing.T) (s *site, program *client, id string) {
	s = newSite(t)
	program = s.program(s.token(ada, "write"))
	id = program.addJob("start", "1")
	s.run(program, id, 1, `echo begin; echo 'TOASTER-STEP 1/2 2 COPY hello.txt /srv/'; printf 'bell \a, <b>, \033[31mred\033[0m\n'
echo 'TOASTER-STEP 2/2 3 RUN echo hello'; echo end
mkdir dist; printf `+content+` > dist/image.bin; printf x > 'dist/größe & "co".txt'; (cd dist && sha256sum * > /tmp/$$ && mv /tmp/$$ SHA256SUMS)`)
	return s, program, id
}

func TestABuildThatSucceeded(t *testing.T) {
	s, c, id := built(t)
	b := c.get("/jobs/" + id + "/builds/1").json(t)
	if b["state"] != "succeeded" || b["step"] != 2.0 || b["steps"] != 2.0 || b["started_at"] == nil ||
		b["ended_at"] == nil {
		t.Error(b)
	}
	sum := sha256.Sum256([]byte(content))
	found := false
	for _, a := range b["artifacts"].([]any) {
		a := a.(map[string]any)
		found = found || a["path"] == "image.bin" && a["size"] == 16.0 && a["sha256"] == hex.EncodeToString(sum[:])
	}
	if !found {
		t.Error(b["artifacts"])
	}
	job := c.get("/jobs/" + id).json(t)
	if job["state"] != "succeeded" || len(job["builds"].([]any)[0].(map[string]any)["artifacts"].([]any)) != 3 {
		t.Error(job)
	}
	page := s.browser(ada).get("/jobs/" + id + "/builds/1")
	for _, want := range []string{"succeeded", `<h3>Step 1 of 2 <code>COPY hello.txt /srv/</code></h3>`,
		`#L2">Line 2 of the Dockerfile</a>`, `bell ␇, &lt;b&gt;, <span class="term-fg31">red</span>` + "\n",
		"Step 2 of 2", "image.bin</a>", hex.EncodeToString(sum[:]), "16 bytes", "Build again",
		"sha256sum --check --ignore-missing SHA256SUMS", "5 newer builds of this job succeed", `/script?revision=1"`,
		`/copy?revision=1"`} {
		if !strings.Contains(page.body, want) {
			t.Errorf("%q is not on the page: %s", want, page.body)
		}
	}
	if !strings.Contains(page.body, `data-more="false"`) {
		t.Error("the page of a build that has ended follows its log")
	}
}

func TestALogByOffset(t *testing.T) {
	s, c, id := built(t)
	path := "/jobs/" + id + "/builds/1/log"
	whole := c.get(path)
	if whole.status != 200 || !strings.Contains(whole.body, "begin\nTOASTER-STEP 1/2") ||
		whole.header.Get("X-More") != "" || whole.header.Get("X-Next-Offset") != fmt.Sprint(len(whole.body)) ||
		whole.header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Fatalf("%v %q", whole.header, whole.body)
	}
	if a := c.get(path + "?offset=6"); a.body != whole.body[6:] {
		t.Errorf("%q", a.body)
	}
	if a := c.get(path + "?offset=999999"); a.body != "" || a.header.Get("X-Next-Offset") != fmt.Sprint(len(whole.body)) {
		t.Errorf("%v %q", a.header, a.body)
	}
	for _, bad := range []string{"-1", "x", "1e3", "99999999999999999999"} {
		if a := c.get(path + "?offset=" + bad); a.status != 422 {
			t.Errorf("offset %s: %d", bad, a.status)
		}
	}
	file := s.browser(ada).get(path + "?whole=1")
	if file.body != whole.body || !strings.Contains(file.header.Get("Content-Disposition"), id+"-1.log") {
		t.Errorf("%v %q", file.header, file.body)
	}
}

func TestALogThatIsStillToCome(t *testing.T) {
	s := newSite(t)
	id := s.program(s.token(ada, "write")).addJob("start", "1")
	c := s.browser(ada)
	if a := c.get("/jobs/" + id + "/builds/1/log"); a.status != 200 || a.body != "" || a.header.Get("X-More") != "true" ||
		a.header.Get("X-Next-Offset") != "0" {
		t.Errorf("%d %v %q", a.status, a.header, a.body)
	}
	page := c.get("/jobs/" + id + "/builds/1")
	for _, want := range []string{`/static/follow.js?v=`, `data-more="true"`, `data-next="0"`, "<noscript>",
		"?refresh=1#the-log"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("%q is not on the page: %s", want, page.body)
		}
	}
	if page.header.Get("Refresh") != "" {
		t.Error("the page loads itself again without being asked to")
	}
	if page := c.get("/jobs/" + id + "/builds/1?refresh=1"); page.header.Get("Refresh") != "10" {
		t.Error(page.header)
	}
}

func TestAnArtifact(t *testing.T) {
	s, c, id := built(t)
	path := "/jobs/" + id + "/builds/1/artifacts/image.bin"
	whole := c.get(path)
	h := whole.header
	if whole.status != 200 || whole.body != content || h.Get("Content-Length") != "16" ||
		h.Get("Accept-Ranges") != "bytes" || h.Get("Content-Type") != "application/octet-stream" ||
		h.Get("Content-Disposition") != `attachment; filename="image.bin"; filename*=UTF-8''image.bin` ||
		!strings.Contains(h.Get("Content-Security-Policy"), "sandbox") || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d %v %q", whole.status, h, whole.body)
	}
	etag := h.Get("ETag")
	modified := h.Get("Last-Modified")
	if len(etag) != 66 || modified == "" {
		t.Errorf("ETag %s, Last-Modified %s", etag, modified)
	}
	head := c.do("HEAD", path, "", nil)
	if head.status != 200 || head.body != "" || head.header.Get("Content-Length") != "16" ||
		head.header.Get("ETag") != etag {
		t.Errorf("HEAD: %d %v %q", head.status, head.header, head.body)
	}
	for _, x := range []struct {
		name, value string
		also        []string
		status      int
		body, where string
	}{
		{"Range", "bytes=4-7", nil, 206, "4567", "bytes 4-7/16"},
		{"Range", "bytes=10-", nil, 206, "abcdef", "bytes 10-15/16"},
		{"Range", "bytes=-3", nil, 206, "def", "bytes 13-15/16"},
		{"Range", "bytes=0-999", nil, 206, content, "bytes 0-15/16"},
		{"Range", "bytes=-999", nil, 206, content, "bytes 0-15/16"},
		{"Range", "bytes=16-", nil, 416, "", "bytes */16"},
		{"Range", "bytes=7-4", nil, 416, "", ""},
		{"Range", "bytes=x", nil, 416, "", ""},
		{"Range", "lines=1-2", nil, 416, "", ""},
		{"Range", "bytes=0-1,4-5", nil, 200, content, ""},
		{"Range", "bytes=4-7", []string{"If-Range", etag}, 206, "4567", "bytes 4-7/16"},
		{"Range", "bytes=4-7", []string{"If-Range", modified}, 206, "4567", "bytes 4-7/16"},
		{"Range", "bytes=4-7", []string{"If-Range", `"another"`}, 200, content, ""},
		{"If-None-Match", etag, nil, 304, "", ""},
		{"If-Modified-Since", modified, nil, 304, "", ""},
		{"If-Match", `"another"`, nil, 412, "", ""},
	} {
		d := c.with(x.name, x.value)
		if x.also != nil {
			d = d.with(x.also[0], x.also[1])
		}
		a := d.get(path)
		if a.status != x.status || x.status < 300 && a.body != x.body || a.header.Get("Content-Range") != x.where {
			t.Errorf("%s: %s %v: %d %q %q", x.name, x.value, x.also, a.status, a.body, a.header.Get("Content-Range"))
		}
	}
	odd := c.get("/jobs/" + id + "/builds/1/artifacts/gr%C3%B6%C3%9Fe%20&%20%22co%22.txt")
	if odd.status != 200 || odd.body != "x" ||
		odd.header.Get("Content-Disposition") != `attachment; filename="gr____e & _co_.txt"; filename*=UTF-8''gr%C3%B6%C3%9Fe%20%26%20%22co%22.txt` {
		t.Errorf("%d %v", odd.status, odd.header)
	}
	for _, missing := range []string{"none", "SHA256SUMS/x", "%2e%2e/log", "../log", ""} {
		if a := c.get("/jobs/" + id + "/builds/1/artifacts/" + missing); a.status != 404 {
			t.Errorf("%s: %d", missing, a.status)
		}
	}
	if page := s.browser(ada).get("/jobs/" + id + "/builds/1"); !strings.Contains(page.body,
		`/artifacts/gr%c3%b6%c3%9fe%20&amp;%20%22co%22.txt"`) {
		t.Error(page.body)
	}
}

func TestAnArtifactIsNeverWholeInMemory(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	id := c.addJob("start", "1")
	s.run(c, id, 1, "mkdir dist; truncate -s 300M dist/large.img")
	program, env := c.environment("GET", "/jobs/"+id+"/builds/1/artifacts/large.img", "", 0)
	if peak := s.measure(program, env, 300<<20); peak > 32<<20 {
		t.Errorf("the process took %d bytes", peak)
	}
}

func TestABuildThatWasStopped(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	id := c.addJob("start", "1")
	if a := c.post("/jobs/" + id + "/stop"); a.status != http.StatusAccepted {
		t.Fatal(a.status, a.body)
	}
	page := s.browser(ada).get("/jobs/" + id + "/builds/1")
	if !strings.Contains(page.body, "aborted") || !strings.Contains(page.body, "Stopped by the owner.") {
		t.Error(page.body)
	}
}
