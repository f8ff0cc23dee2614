package cgibin

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"toaster.do/lib/app"
	"toaster.do/lib/store"
)

func (c *client) put(path, body string) *answer {
	return c.do("PUT", path, "application/octet-stream", []byte(body))
}

// declare sends a manifest of files: paths and contents in turn.
func (c *client) declare(files ...string) *answer {
	c.t.Helper()
	type entry struct {
		Path   string `json:"path"`
		Type   string `json:"type"`
		Size   int    `json:"size"`
		SHA256 string `json:"sha256"`
	}
	var list []entry
	for i := 0; i < len(files); i += 2 {
		list = append(list, entry{files[i], "file", len(files[i+1]), sum(files[i+1])})
	}
	text, err := json.Marshal(map[string]any{"entries": list})
	c.must(err)
	return c.do("POST", "/jobs/contexts", "application/json", text)
}

func sum(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// blobs lists the files that are kept of contexts.
func (s *site) blobs() (all []string) {
	s.t.Helper()
	err := filepath.WalkDir(s.cfg.Paths.Contexts, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.Contains(path, "/blobs/") {
			all = append(all, d.Name())
		}
		return err
	})
	s.must(err)
	return all
}

// A program sends the manifest, what is missing, and a job; the next time, only what has changed.
func TestAContextBySending(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	files := []string{"hello.txt", "hi", "src/main.c", "int main;\n", "same", "hi"}
	a := c.declare(files...)
	got := a.json(t)
	want := slices.Sorted(slices.Values([]string{sum("hi"), sum("int main;\n")}))
	if a.status != 200 || fmt.Sprint(got["missing"]) != fmt.Sprint(want) {
		t.Fatal(a.status, a.body)
	}
	describe(t).holds("POST /jobs/contexts", nil, a)
	digest := got["context"].(string)
	fields := []string{"text", good, "target", target, "context_digest", digest}
	if a := c.post("/jobs", fields...); a.status != 409 || a.json(t)["code"] != "context_incomplete" ||
		a.json(t)["field"] != "context" {
		t.Errorf("without its files: %d %s", a.status, a.body)
	}
	for _, text := range []string{"hi", "int main;\n", "hi"} { // once more is no error
		a := c.put("/jobs/blobs/"+sum(text), text)
		if a.status != 201 || a.json(t)["complete"] != true {
			t.Errorf("%q: %d %s", text, a.status, a.body)
		}
		describe(t).holds("PUT /jobs/blobs/{sha256}", nil, a)
	}
	job := c.post("/jobs", fields...)
	if job.status != 201 {
		t.Fatal(job.status, job.body)
	}
	files[1] = "ho"
	a = c.declare(files...)
	if fmt.Sprint(a.json(t)["missing"]) != "["+sum("ho")+"]" {
		t.Error("a changed file: ", a.body)
	}
	if a := c.put("/jobs/blobs/"+sum("ho"), "ho"); a.status != 201 {
		t.Error(a.status, a.body)
	}
	next := a.json(t)["context"].(string)
	if a := c.post("/jobs/"+job.json(t)["id"].(string)+"/update", "text", good, "context_digest", next); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := c.declare(files...); len(a.json(t)["missing"].([]any)) != 0 || a.json(t)["context"] != next {
		t.Error("nothing has changed: ", a.body)
	}
	script := c.get("/jobs/" + job.json(t)["id"].(string) + "/script")
	if !strings.Contains(script.body, strings.TrimPrefix(next, "sha256:")) {
		t.Error("the script is made of another context")
	}
}

// What somebody else has sent can't be found out, and not be used.
func TestAContextOfAnother(t *testing.T) {
	s := newSite(t)
	mine, other := s.program(s.token(ada, "write")), s.program(s.token(bob, "write"))
	a := mine.declare("hello.txt", "hi")
	mine.put("/jobs/blobs/"+sum("hi"), "hi")
	digest := a.json(t)["context"].(string)
	fields := []string{"text", good, "target", target, "context_digest", digest}
	if a := other.post("/jobs", fields...); a.status != 422 || a.json(t)["code"] != "context_not_found" {
		t.Errorf("a digest of somebody else's: %d %s", a.status, a.body)
	}
	if a := other.put("/jobs/blobs/"+sum("hi"), "hi"); a.status != 409 || a.json(t)["code"] != "blob_not_missing" {
		t.Errorf("a file of somebody else's: %d %s", a.status, a.body)
	}
	if a := other.declare("hello.txt", "hi"); len(a.json(t)["missing"].([]any)) != 1 {
		t.Error("that somebody has the file is told: ", a.body)
	}
	for _, digest := range []string{"sha256:..", "x", "sha256:" + strings.Repeat("A", 64)} {
		if a := mine.post("/jobs", "text", good, "target", target, "context_digest", digest); a.status != 422 {
			t.Errorf("%s: %d", digest, a.status)
		}
	}
}

// What is wrong is refused, and leaves nothing.
func TestWrongManifestsAndFiles(t *testing.T) {
	s := newSite(t, smallContexts)
	c := s.program(s.token(ada, "write"))
	hi := `"size":2,"sha256":"` + sum("hi") + `"`
	for name, entries := range map[string]string{
		"leads out":        `{"path":"../x","type":"file",` + hi + `}`,
		"is absolute":      `{"path":"/etc/passwd","type":"file",` + hi + `}`,
		"twice":            `{"path":"a","type":"file",` + hi + `},{"path":"a","type":"file",` + hi + `}`,
		"below a file":     `{"path":"a","type":"file",` + hi + `},{"path":"a/b","type":"file",` + hi + `}`,
		"a wrong digest":   `{"path":"a","type":"file","size":2,"sha256":"../../x"}`,
		"a negative size":  `{"path":"a","type":"file","size":-2,"sha256":"` + sum("hi") + `"}`,
		"a huge size":      `{"path":"a","type":"file","size":99999999999999999999,"sha256":"` + sum("hi") + `"}`,
		"too large":        `{"path":"a","type":"file","size":2000000,"sha256":"` + sum("hi") + `"}`,
		"two sizes":        `{"path":"a","type":"file",` + hi + `},{"path":"b","type":"file","size":3,"sha256":"` + sum("hi") + `"}`,
		"a NUL":            `{"path":"a\u0000b","type":"file",` + hi + `}`,
		"an odd type":      `{"path":"a","type":"socket"}`,
		"an unknown field": `{"path":"a","type":"file",` + hi + `,"uid":0}`,
		"no list":          `]`,
		"a link to a link": `{"path":"a","type":"link","link":"b"},{"path":"b","type":"file","hardlink":"a"}`,
		"many entries":     strings.Repeat(`{"path":"a","type":"dir"},`, 20000) + `{"path":"a","type":"dir"}`,
		"a large entry":    `{"path":"` + strings.Repeat("x", 8<<20) + `","type":"dir"}`,
	} {
		a := c.do("POST", "/jobs/contexts", "application/json", []byte(`{"entries":[`+entries+`]}`))
		if a.status != 422 && a.status != 413 {
			t.Errorf("%s: %d %.300s", name, a.status, a.body)
		}
	}
	c.declare("hello.txt", "hi")
	for name, body := range map[string]string{"another file": "ho", "a longer one": "hi there", "a cut one": "h", "none": ""} {
		if a := c.put("/jobs/blobs/"+sum("hi"), body); a.status != 422 || a.json(t)["code"] != "blob_digest" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := c.put("/jobs/blobs/..%2f..%2fx", "hi"); a.status != 404 {
		t.Error(a.status, a.body)
	}
	if all := s.blobs(); len(all) > 0 {
		t.Error("something is left: ", all)
	}
}

// Many small files travel in one archive. What came whole before it is cut off stays.
func TestFilesInAnArchive(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	var files []string
	for i := range 300 {
		files = append(files, fmt.Sprintf("f%03d", i), strings.Repeat(fmt.Sprint(i), 100))
	}
	digest := c.declare(files...).json(t)["context"].(string)
	var all bytes.Buffer
	w := tar.NewWriter(&all)
	for i := 1; i < len(files); i += 2 {
		s.must(w.WriteHeader(&tar.Header{Name: sum(files[i]), Size: int64(len(files[i]))}))
		_, err := w.Write([]byte(files[i]))
		s.must(err)
	}
	s.must(w.Close())
	a := c.do("POST", "/jobs/blobs", "application/x-tar", all.Bytes()[:all.Len()/2])
	if a.status != 422 || a.json(t)["code"] != "upload_incomplete" {
		t.Errorf("half of it: %d %s", a.status, a.body)
	}
	missing := c.declare(files...).json(t)["missing"].([]any)
	if len(missing) < 140 || len(missing) > 160 {
		t.Errorf("%d files are missing after a half", len(missing))
	}
	if a = c.do("POST", "/jobs/blobs", "application/x-tar", all.Bytes()); a.status != 201 || a.json(t)["stored"] != 300.0 {
		t.Errorf("%d %s", a.status, a.body)
	}
	describe(t).holds("POST /jobs/blobs", nil, a)
	if a := c.post("/jobs", "text", "FROM debian:bookworm\nCOPY f001 /\n", "target", target, "context_digest",
		digest); a.status != 201 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// A large file is sent in parts, and goes on where it was cut off.
func TestALargeFileInParts(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	text := strings.Repeat("0123456789", 1000)
	c.declare("large", text)
	part := func(from, to int, place string) *answer {
		with := *c
		with.header = c.header.Clone()
		with.header.Set("Content-Range", strings.ReplaceAll(place, "%d", fmt.Sprint(len(text))))
		return with.put("/jobs/blobs/"+sum(text), text[from:to])
	}
	for _, one := range []struct {
		from, to int
		place    string
		status   int
		have     float64
	}{
		{0, 4000, "bytes 0-3999/%d", 202, 4000},
		{0, 0, "bytes */%d", 202, 4000},               // how far is it?
		{5000, 6000, "bytes 5000-5999/%d", 202, 4000}, // not there
		{4000, 9000, "bytes 4000-8999/%d", 202, 9000},
		{9000, 10000, "bytes 9000-9999/%d", 201, 10000},
		{0, 0, "bytes */%d", 201, 10000},
	} {
		a := part(one.from, one.to, one.place)
		if a.status != one.status || a.json(t)["have"] != one.have {
			t.Errorf("%s: %d %s", one.place, a.status, a.body)
		}
	}
	if a := part(0, 1, "bytes 0-0"); a.status != 422 {
		t.Error(a.status, a.body)
	}
}

// What no job needs goes after a day; of a user who is gone, all.
func TestContextsAreSwept(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	c.addJob()
	c.declare("other", "not needed")
	c.put("/jobs/blobs/"+sum("not needed"), "not needed")
	sweep := func(after time.Duration) {
		t.Helper()
		service, err := app.Service(s.cfg, s.db, nil)
		s.must(err)
		needed, err := s.db.Contexts(t.Context())
		s.must(err)
		s.must(service.Contexts.Sweep(t.Context(), needed, time.Now().Add(after)))
	}
	sweep(23 * time.Hour)
	if all := s.blobs(); len(all) != 2 {
		t.Error("after an hour less than a day: ", all)
	}
	sweep(25 * time.Hour)
	if all := s.blobs(); len(all) != 1 || all[0] != sum("hi") {
		t.Error("after a day: ", all)
	}
	s.sql("DELETE FROM job")
	sweep(48 * time.Hour)
	if all := s.blobs(); len(all) != 0 {
		t.Error("without jobs: ", all)
	}
	s.must(os.MkdirAll(filepath.Join(s.cfg.Paths.Contexts, "99999", "blobs", "aa"), 0o750))
	sweep(0)
	if _, err := os.Stat(filepath.Join(s.cfg.Paths.Contexts, "99999")); err == nil {
		t.Error("the folder of a user who is gone is there")
	}
}

// A user has so much, and no more, and is told what frees it.
func TestTheQuotaOfContexts(t *testing.T) {
	s := newSite(t, "[limits]\ncontexts = \"1 MiB\"")
	c := s.program(s.token(ada, store.ScopeWrite))
	large := strings.Repeat("x", 700<<10)
	if a := c.declare("a", large); a.status != 200 {
		t.Fatal(a.status, a.body)
	}
	if a := c.put("/jobs/blobs/"+sum(large), large); a.status != 201 {
		t.Fatal(a.status, a.body)
	}
	a := c.declare("b", large+"y")
	if a.status != 403 || a.json(t)["code"] != "context_quota" || !strings.Contains(a.body, "1.0 MiB") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := c.declare("c", large); a.status != 200 {
		t.Errorf("what is there already: %d %s", a.status, a.body)
	}
}

// send is do with a body of any size; it returns the most memory that the program had, in bytes.
func (c *client) send(method, path, kind string, body io.Reader, size int64) (a *answer, memory int64) {
	c.t.Helper()
	program, env := c.environment(method, path, kind, int(size))
	cmd := exec.Command(filepath.Join(programs, program))
	cmd.Env, cmd.Stdin = env, body
	var out bytes.Buffer
	cmd.Stdout = &out
	c.must(cmd.Run())
	return parse(c.t, &out), cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
}

// zeros is a file of that many of them.
func zeros(size int64) io.Reader { return io.LimitReader(zeroReader{}, size) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// A request needs no more memory for a large context than for a small one.
func TestMemoryOfLargeContexts(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	const size, most = 300 << 20, 32 << 20
	usual := map[string]int64{} // of programs as tests build them
	for _, n := range []int64{1, size} {
		h := sha256.New()
		_, err := io.Copy(h, zeros(n))
		s.must(err)
		text := fmt.Sprintf(`{"entries":[{"path":"zeros","type":"file","size":%d,"sha256":"%x"}]}`, n, h.Sum(nil))
		if a := c.do("POST", "/jobs/contexts", "application/json", []byte(text)); a.status != 200 {
			t.Fatal(a.status, a.body)
		}
		sending := map[string]func() (*answer, int64){
			"a file": func() (*answer, int64) {
				return c.send("PUT", fmt.Sprintf("/jobs/blobs/%x", h.Sum(nil)), "application/octet-stream", zeros(n), n)
			},
			"an archive in a form": func() (*answer, int64) {
				var begin, end bytes.Buffer
				m := multipart.NewWriter(&begin)
				s.must(m.WriteField("text", "FROM debian:bookworm\nCOPY zeros /\n"))
				s.must(m.WriteField("target", target))
				_, err := m.CreateFormFile("context", "c.tar")
				s.must(err)
				s.must(tar.NewWriter(&begin).WriteHeader(&tar.Header{Name: "zeros", Size: n}))
				fmt.Fprintf(&end, "%s\r\n--%s--\r\n", make([]byte, (512-n%512)%512+1024), m.Boundary())
				body := io.MultiReader(&begin, zeros(n), &end)
				return c.send("POST", "/jobs", m.FormDataContentType(), body, int64(begin.Len()+end.Len())+n)
			},
		}
		for name, send := range sending {
			a, memory := send()
			if a.status != 201 {
				t.Fatalf("%s of %d bytes: %d %s", name, n, a.status, a.body)
			}
			t.Logf("%s of %d bytes: %d MiB", name, n, memory>>20)
			if n == 1 {
				usual[name] = memory
			} else if memory > usual[name]+most/2 {
				t.Errorf("%s of %d bytes takes %d MiB, one of a byte %d", name, n, memory>>20, usual[name]>>20)
			}
		}
	}
}
