// Package e2e goes the whole way that a person goes, with the programs that are installed: log in, hand in a
// Dockerfile with its context, build it for real, follow the log, download the image, look into it.
package e2e

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	email    = "ann@example.org"
	password = "correct horse battery staple"
	target   = "rootfs_amd64_bookworm"

	dockerfile = `FROM debian:bookworm
ARG GREETING=hello
ENV APP=/srv/app LANG=C.UTF-8
WORKDIR $APP
RUN apt-get update && apt-get install -y --no-install-recommends busybox && rm -rf /var/lib/apt/lists/*
COPY site/ ./site/
COPY --chown=www-data:www-data run.sh /usr/local/bin/
RUN chmod 750 /usr/local/bin/run.sh && echo "$GREETING from $(pwd)" > greeting.txt
EXPOSE 8080
USER www-data
CMD ["/usr/local/bin/run.sh"]
`
)

// toaster is an instance in a folder of its own, served by the real programs.
type toaster struct {
	*testing.T
	dir, bin, url string
	client        *http.Client
}

func TestFromADockerfileToAnImage(t *testing.T) {
	s := start(t)
	s.logIn()
	job := s.addJob()

	resp := s.post(job+"/start", nil)
	s.status(resp, http.StatusAccepted)

	log := s.follow(job + "/builds/1/log")
	var j struct {
		State  string
		Builds []struct {
			Number, Step, Steps int
			State               string
			Artifacts           []struct {
				Path   string
				Size   int64
				SHA256 string
			}
		}
	}
	s.wait("the build's end", func() bool {
		s.json(job, &j)
		return j.State != "queued" && j.State != "running"
	})
	if j.State != "succeeded" {
		t.Fatalf("the build has %s; its log:\n%s", j.State, log)
	}
	for _, want := range []string{"TOASTER-STEP 1/", "apt-get install", " 8 RUN chmod"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	b := j.Builds[0]
	if b.Number != 1 || b.Steps == 0 || b.Step != b.Steps {
		t.Errorf("the build stands at step %d of %d", b.Step, b.Steps)
	}

	sums := map[string]string{}
	var image string
	for _, a := range b.Artifacts {
		sum, size := s.download(job + "/builds/1/artifacts/" + a.Path)
		sums[a.Path] = sum
		if sum != a.SHA256 || size != a.Size {
			t.Errorf("%s: %d bytes, SHA-256 %s; the page says %d, %s", a.Path, size, sum, a.Size, a.SHA256)
		}
		if strings.HasSuffix(a.Path, ".tar.gz") {
			image = a.Path
		}
	}
	for _, want := range []string{image, "SHA256SUMS", "packages.txt", "provenance.json"} {
		if sums[want] == "" {
			t.Fatalf("there is no artifact %q in %v", want, sums)
		}
	}
	s.checkSums(sums)
	s.checkImage(image)
	s.checkProvenance()
	s.checkRange(job+"/builds/1/artifacts/"+image, sums[image])
}

// TestMain: what builds of several tests begin with is made once.
func TestMain(m *testing.M) {
	cache, err := os.MkdirTemp("", "toaster-e2e-")
	if err != nil {
		panic(err)
	}
	if os.Getenv("TOASTER_CACHE_DIR") == "" {
		os.Setenv("TOASTER_CACHE_DIR", cache)
	}
	code := m.Run()
	os.RemoveAll(cache)
	os.Exit(code)
}

// start builds the programs, makes an instance with a person, and runs web server and runner. Of each pair of texts,
// the first place in the configuration that has the one gets the other.
func start(t *testing.T, replace ...string) *toaster {
	t.Helper()
	s := &toaster{T: t, dir: filepath.Join(t.TempDir(), "instance"), bin: t.TempDir()}
	sh(t, nil, "go", "build", "-o", s.bin+"/toasterctl", "../toasterctl")
	sh(t, nil, "go", "build", "-o", s.bin+"/cgi-bin/", "../../cgi-bin/index", "../../cgi-bin/account",
		"../../cgi-bin/jobs", "../../cgi-bin/build")
	ctl := s.bin + "/toasterctl"
	config := s.dir + "/toaster.toml"
	sh(t, nil, ctl, "init", "--dir", s.dir)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(replace, 2) {
		text = bytes.Replace(text, []byte(pair[0]), []byte(pair[1]), 1)
	}
	if err := os.WriteFile(config, text, 0o640); err != nil {
		t.Fatal(err)
	}
	sh(t, strings.NewReader(password+"\n"), ctl, "user", "add", "--config", config, "--email", email, "--password-stdin")

	s.daemon(ctl, "runner", "--config", config)
	out := s.daemon(ctl, "serve", "--config", config, "--listen", "127.0.0.1:0")
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, address, ok := strings.Cut(lines.Text(), "http://"); ok {
			s.url = "http://" + strings.Fields(address)[0]
			break
		}
	}
	if s.url == "" {
		t.Fatal("serve did not print its address")
	}
	s.url = strings.TrimRight(s.url, "/")
	go io.Copy(io.Discard, out)
	jar, _ := cookiejar.New(nil)
	s.client = &http.Client{Jar: jar, CheckRedirect: func(*http.Request,
		[]*http.Request) error {
		return http.ErrUseLastResponse
	}}
	return s
}

// sh runs a program to its end and returns what it printed.
func sh(t testing.TB, in io.Reader, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = in
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return string(out)
}

// daemon runs a program until the test ends, and returns what it prints.
func (s *toaster) daemon(name string, args ...string) io.Reader {
	s.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	return out
}

func (s *toaster) logIn() {
	s.Helper()
	resp, err := s.client.PostForm(s.url+"/account/login", url.Values{"email": {email}, "password": {password}})
	if err != nil {
		s.Fatal(err)
	}
	s.status(resp, http.StatusSeeOther)
}

// addJob hands in the Dockerfile with a context as a browser's form would, and returns the job's path.
func (s *toaster) addJob() string {
	s.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	form.WriteField("name", "greeter")
	form.WriteField("target", target)
	form.WriteField("build_args", "GREETING=bon jour")
	for field, content := range map[string][]byte{"dockerfile": []byte(dockerfile), "context": buildContext(s.T)} {
		part, err := form.CreateFormFile(field, field)
		if err != nil {
			s.Fatal(err)
		}
		part.Write(content)
	}
	form.Close()
	req, _ := http.NewRequest("POST", s.url+"/jobs", &body)
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("Accept", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	s.status(resp, http.StatusCreated)
	location, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(location.Path, "/jobs/") {
		s.Fatalf("the new job is at %q (%v)", resp.Header.Get("Location"), err)
	}
	return location.Path
}

func buildContext(t *testing.T) []byte {
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	archive := tar.NewWriter(zip)
	for _, f := range []struct {
		name, text string
		mode       int64
	}{{"run.sh", "#!/bin/sh\nexec busybox httpd -f -p 8080 -h /srv/app/site\n", 0o755},
		{"site/index.html", "<p>toast</p>\n", 0o644}} {
		archive.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.text)), Typeflag: tar.TypeReg,
			ModTime: time.Unix(1, 0)})
		if _, err := archive.Write([]byte(f.text)); err != nil {
			t.Fatal(err)
		}
	}
	archive.Close()
	zip.Close()
	return buf.Bytes()
}

func (s *toaster) post(path string, form url.Values) *http.Response {
	s.Helper()
	req, _ := http.NewRequest("POST", s.url+path, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	return resp
}

func (s *toaster) get(path string, header ...string) *http.Response {
	s.Helper()
	req, _ := http.NewRequest("GET", s.url+path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	return resp
}

func (s *toaster) json(path string, v any) {
	s.Helper()
	resp := s.get(path, "Accept", "application/json")
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil || resp.StatusCode != http.StatusOK {
		s.Fatalf("GET %s: %s, %v", path, resp.Status, err)
	}
}

// status checks an answer's status and closes it.
func (s *toaster) status(resp *http.Response, want int) {
	s.Helper()
	defer resp.Body.Close()
	if resp.StatusCode != want {
		text, _ := io.ReadAll(resp.Body)
		s.Fatalf("%s %s: %s, not %d\n%s", resp.Request.Method, resp.Request.URL, resp.Status, want, text)
	}
}

// wait asks until done says so. A build takes minutes on a slow machine.
func (s *toaster) wait(what string, done func() bool) {
	s.Helper()
	for deadline := time.Now().Add(20 * time.Minute); !done(); time.Sleep(500 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("waited too long for %s", what)
		}
	}
}

// follow reads a growing log by its offsets, to the end.
func (s *toaster) follow(path string) string {
	s.Helper()
	var log strings.Builder
	offset := int64(0)
	s.wait("the log's end", func() bool {
		resp := s.get(fmt.Sprintf("%s?offset=%d", path, offset))
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		next, bad := strconv.ParseInt(resp.Header.Get("X-Next-Offset"), 10, 64)
		if err != nil || bad != nil || resp.StatusCode != http.StatusOK || next < offset {
			s.Fatalf("the log from %d: %s, next %q, %v", offset, resp.Status, resp.Header.Get("X-Next-Offset"), err)
		}
		log.Write(text)
		offset = next
		return resp.Header.Get("X-More") != "true"
	})
	return log.String()
}

// download stores an artifact, and returns its SHA-256 and size.
func (s *toaster) download(path string) (string, int64) {
	s.Helper()
	resp := s.get(path)
	defer resp.Body.Close()
	f, err := os.Create(filepath.Join(s.bin, filepath.Base(path)))
	if err != nil {
		s.Fatal(err)
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || n != resp.ContentLength {
		s.Fatalf("GET %s: %s, %d of %d bytes, %v", path, resp.Status, n, resp.ContentLength, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), n
}
