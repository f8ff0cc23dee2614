package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// server is a running "toasterctl serve".
type server struct {
	*testing.T
	url    string // without a slash at its end
	cmd    *exec.Cmd
	client *http.Client
	stderr bytes.Buffer // whole when it has ended
}

// newServer starts serve on a free port, and returns when it has said its address.
func newServer(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{T: t, cmd: exec.Command(filepath.Join(bin, "toasterctl"),
		append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)}
	s.cmd.Env = append(os.Environ(), "SECRET=of the administrator")
	s.cmd.Stderr = io.MultiWriter(os.Stderr, &s.stderr)
	out, err := s.cmd.StdoutPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		s.cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range strings.Fields(line) {
		if strings.HasPrefix(word, "http://") {
			s.url = strings.TrimRight(word, "/")
		}
	}
	jar, _ := cookiejar.New(nil)
	s.client = &http.Client{Jar: jar, CheckRedirect: func(*http.Request,
		[]*http.Request) error {
		return http.ErrUseLastResponse
	}}
	return s
}

// get returns an answer's status and text.
func (s *server) get(path string, header ...string) (*http.Response, string) {
	s.Helper()
	req, err := http.NewRequest("GET", s.url+path, nil)
	if err != nil {
		s.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return s.do(req)
}

func (s *server) do(req *http.Request) (*http.Response, string) {
	s.Helper()
	resp, err := s.client.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return resp, string(text)
}

func TestServeTheSite(t *testing.T) {
	for _, prefix := range []string{"", "/toaster", "/a/b"} {
		s := newServer(t, "--config", newSite(t), "--prefix", prefix)
		if !strings.HasSuffix(s.url, prefix) {
			t.Fatalf("with the prefix %q the site is at %s", prefix, s.url)
		}
		resp, page := s.get("/")
		if resp.StatusCode != http.StatusOK || !strings.Contains(page, `href="`+prefix+`/help"`) {
			t.Fatalf("GET %s/: %s\n%s", s.url, resp.Status, page)
		}
		for _, part := range strings.Split(page, `"`) {
			if strings.HasPrefix(part, prefix+"/static/") {
				resp, _ := s.get(strings.TrimPrefix(part, prefix))
				if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Cache-Control"), "public") {
					t.Errorf("GET %s: %s, %v", part, resp.Status, resp.Header)
				}
			}
		}
		for _, path := range []string{"/static/", "/static/none.css", "/static/../embed.go", "/nothing"} {
			if resp, _ := s.get(path); resp.StatusCode != http.StatusNotFound {
				t.Errorf("GET %s%s: %s", prefix, path, resp.Status)
			}
		}
		s.logIn()
		if resp, page := s.get("/jobs"); resp.StatusCode != http.StatusOK {
			t.Errorf("GET %s/jobs: %s\n%s", prefix, resp.Status, page)
		}
	}
}

func (s *server) logIn() {
	s.Helper()
	if resp, _ := s.get("/jobs"); resp.StatusCode != http.StatusSeeOther {
		s.Fatalf("GET /jobs without a log-in: %s", resp.Status)
	}
	form := strings.NewReader(url.Values{"email": {email}, "password": {secret}}.Encode())
	req, err := http.NewRequest("POST", s.url+"/account/login", form)
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if resp, text := s.do(req); resp.StatusCode != http.StatusSeeOther {
		s.Fatalf("log-in: %s\n%s", resp.Status, text)
	}
}

func TestTokenOpensTheSite(t *testing.T) {
	config := newSite(t)
	token := ctl(t, "", "token", "add", email, "--config", config).exits(0).word()
	s := newServer(t, "--config", config)
	if resp, text := s.get("/jobs", "Accept", "application/json", "Authorization",
		"Bearer "+token); resp.StatusCode != http.StatusOK {
		t.Errorf("with the token: %s\n%s", resp.Status, text)
	}
	if resp, _ := s.get("/jobs", "Accept", "application/json", "Authorization",
		"Bearer "+token+"x"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("with another token: %s", resp.Status)
	}
}

func TestPortThatIsTaken(t *testing.T) {
	config := newSite(t)
	s := newServer(t, "--config", config)
	address := strings.TrimPrefix(s.url, "http://")
	ctl(t, "", "serve", "--config", config, "--listen", address).exits(1).complains(address+" is used", "--listen")
	ctl(t, "", "serve", "--config", config, "--cgi", t.TempDir()).exits(1).complains("no CGI programs", "make build")
}

func TestSignalEndsServe(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		s := newServer(t, "--config", newSite(t))
		s.get("/")
		if err := s.end(signal); err != nil {
			t.Errorf("%v: %v", signal, err)
		}
		if resp, err := s.client.Get(s.url); err == nil {
			t.Errorf("%v: it still answers: %s", signal, resp.Status)
		}
	}
}

func (s *server) end(signal os.Signal) error {
	s.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.Fatal(err)
	}
	return s.cmd.Wait()
}

// eventually waits until something is true.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// gone tells whether no process has the id.
func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

// programs writes scripts as CGI programs, all the same, and returns their folder.
func programs(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"index", "account", "jobs"} {
		if err := os.Chmod(write(t, filepath.Join(dir, name), "#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func pidIn(t *testing.T, file string) (pid int) {
	t.Helper()
	eventually(t, "the program", func() bool {
		text, _ := os.ReadFile(file)
		n, _ := fmt.Sscanf(string(text), "%d\n", &pid)
		return n == 1
	})
	return pid
}
