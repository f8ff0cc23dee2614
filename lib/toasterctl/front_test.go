package main

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestPathsAreThoseOfARealWebServer(t *testing.T) {
	cgi := programs(t, `echo Content-Type: text/plain; echo; echo "$0|$SCRIPT_NAME|$PATH_INFO|$QUERY_STRING"`)
	config := newSite(t)
	for _, prefix := range []string{"", "/toaster"} {
		s := newServer(t, "--config", config, "--cgi", cgi, "--prefix", prefix)
		for path, want := range map[string]string{
			"/":                         "index||/|",
			"/help?a=b":                 "index||/help|a=b",
			"/accounts":                 "index||/accounts|",
			"/account":                  "account|/account||",
			"/account/login":            "account|/account|/login|",
			"/jobs":                     "jobs|/jobs||",
			"/jobs/":                    "jobs|/jobs|/|",
			"/jobs/x/artifacts/a%20b/c": "jobs|/jobs|/x/artifacts/a b/c|",
		} {
			program, rest, _ := strings.Cut(want, "|")
			want = filepath.Join(cgi, program) + "|" + prefix + rest + "\n"
			if _, got := s.get(path); got != want {
				t.Errorf("%s%s: %q, not %q", prefix, path, got, want)
			}
		}
	}
}

func TestPathOutsideThePrefix(t *testing.T) {
	s := newServer(t, "--config", newSite(t), "--prefix", "toaster/")
	s.url = strings.TrimSuffix(s.url, "/toaster")
	if resp, _ := s.get("/toaster"); resp.StatusCode != http.StatusMovedPermanently ||
		resp.Header.Get("Location") != "/toaster/" {
		t.Errorf("/toaster: %s to %q", resp.Status, resp.Header.Get("Location"))
	}
	for _, path := range []string{"/", "/jobs", "/toasters", "/toaster.toml"} {
		if resp, _ := s.get(path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

func TestProgramsGetWhatTheyNeedAndNoMore(t *testing.T) {
	config := newSite(t)
	s := newServer(t, "--config", config, "--cgi", programs(t, "echo Content-Type: text/plain; echo; env"))
	_, env := s.get("/", "Authorization", "Bearer x", "Proxy", "http://evil.example.org")
	for _, want := range []string{"TOASTER_CONF=" + config + "\n", "HTTP_AUTHORIZATION=Bearer x\n",
		"REMOTE_ADDR=127.0.0.1\n", "REQUEST_METHOD=GET\n"} {
		if !strings.Contains(env, want) {
			t.Errorf("%q is not in the environment:\n%s", want, env)
		}
	}
	for _, secret := range []string{"SECRET=", "HTTP_PROXY="} {
		if strings.Contains(env, secret) {
			t.Errorf("%s is in the environment:\n%s", secret, env)
		}
	}
}

func TestUploadThatIsTooLarge(t *testing.T) {
	s := newServer(t, "--config", newSite(t), "--cgi", programs(t, "echo Content-Type: text/plain; echo; wc -c"))
	for size, status := range map[int]int{maxBody: http.StatusOK, maxBody + 1: http.StatusRequestEntityTooLarge} {
		resp, err := s.client.Post(s.url+"/jobs", "application/octet-stream", strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != status {
			t.Errorf("%d bytes: %s %s %v", size, resp.Status, text, err)
		}
	}
}

func TestProgramEndsWhenItsReaderGoesAway(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	s := newServer(t, "--config", newSite(t), "--cgi",
		programs(t, "echo $$ > "+file+"; echo Content-Type: text/plain; echo; exec cat /dev/zero"))
	resp, err := s.client.Get(s.url + "/jobs/x")
	if err != nil {
		t.Fatal(err)
	}
	pid := pidIn(t, file)
	if n, err := io.CopyN(io.Discard, resp.Body, 10<<20); err != nil {
		t.Fatalf("%d bytes, %v", n, err)
	}
	resp.Body.Close()
	eventually(t, "the program's end", func() bool { return gone(pid) })
}

func TestProgramThatHangsEndsWithTheServer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	s := newServer(t, "--config", newSite(t), "--cgi", programs(t, "echo $$ > "+file+"; exec sleep 1000"))
	go s.client.Get(s.url + "/jobs")
	pid := pidIn(t, file)
	if err := s.end(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if !gone(pid) {
		t.Errorf("the program runs on")
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

func TestProgramThatFails(t *testing.T) {
	s := newServer(t, "--config", newSite(t), "--cgi", programs(t, "exit 1"))
	if resp, _ := s.get("/"); resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("a program without an answer: %s", resp.Status)
	}
}

func TestAddressesAndMethodsThatNothingAnswers(t *testing.T) {
	s := newServer(t, "--config", newSite(t), "--prefix", "/toaster")
	for _, path := range []string{"/%00", "/jobs/%00", "/jobs/x%00/script", "/static/%00", "/account%00/login",
		"/jobs/%0a", "/%1f", "/help%7f"} {
		if resp, _ := s.get(path); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	for _, method := range []string{"TRACE", "PUT", "FOO"} {
		for _, path := range []string{"/", "/jobs", "/account/login", "/static/toaster.css"} {
			req, err := http.NewRequest(method, s.url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp, _ := s.do(req); resp.StatusCode != http.StatusMethodNotAllowed ||
				!strings.HasPrefix(resp.Header.Get("Allow"), "GET, HEAD") {
				t.Errorf("%s %s: %s, Allow: %q", method, path, resp.Status, resp.Header.Get("Allow"))
			}
		}
	}
}
