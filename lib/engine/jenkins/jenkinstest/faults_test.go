package jenkinstest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// try is a request that may fail: it gives the status, or the error.
func (c *client) try(path string) (int, string, error) {
	ctx, cancel := context.WithTimeout(c.Context(), 2*time.Second)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", c.URL+path, nil)
	r.SetBasicAuth("toaster", "toaster-token")
	a, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	return a.StatusCode, string(text), err
}

func TestARestartInItsPhases(t *testing.T) {
	c := begin(t, Options{Phase: 100 * time.Millisecond})
	c.create("demo", "true")
	done := make(chan error)
	go func() { done <- c.Restart() }()
	var phases []string
	for ended := false; !ended; time.Sleep(5 * time.Millisecond) {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			ended = true
		default:
		}
		status, text, err := c.try("/job/nojob/api/json")
		phase := ""
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			phase = "refused"
		case err != nil:
			continue // cut in the middle
		case strings.Contains(text, "Please wait while Jenkins is restarting"),
			strings.Contains(text, "Please wait while Jenkins is getting ready to work"):
			phase = strings.Fields(text[strings.Index(text, "Jenkins is "):])[2]
			if status != 503 {
				t.Errorf("the page of 503 came with %d", status)
			}
		default:
			phase = http.StatusText(status)
		}
		if len(phases) == 0 || phases[len(phases)-1] != phase {
			phases = append(phases, phase)
		}
	}
	if got := strings.Join(phases, ", "); strings.TrimPrefix(got,
		"Not Found, ") != "restarting, Unauthorized, refused, getting, Not Found" {
		t.Errorf("the phases were: %s", got)
	}
}

func TestAnOrderlyRestart(t *testing.T) {
	c := begin(t, Options{})
	c.create("runs", "echo begun; sleep 600")
	c.create("waits", "true")
	c.ask("POST", "/job/runs/build", "")
	c.until("/job/runs/1/consoleText", "begun")
	c.ask("POST", "/job/waits/build?delay=600sec", "")
	if err := c.Restart(); err != nil {
		t.Fatal(err)
	}
	c.facts(
		fact{request: "GET /job/runs/1/api/json?tree=building,result", status: 200,
			has: []string{`"building":false,"result":"FAILURE"`}},
		fact{request: "GET /job/runs/1/consoleText", status: 200, has: []string{"ClassNotFoundException", "\tat "},
			lacks: []string{"Finished"}},
		fact{request: "GET /queue/item/1/api/json", status: 404, headers: pageJ},
		fact{request: "GET /job/waits/api/json?tree=queueItem[id,why],lastBuild[number]", status: 200,
			has: []string{`"lastBuild":null,"queueItem":{"_class":"hudson.model.Queue$WaitingItem","id":2,"why":"In the quiet period. Expires in 59`}},
	)
}

func TestAKilledController(t *testing.T) {
	c := begin(t, Options{})
	c.create("killed", "echo begun; sleep 600.25")
	c.create("waiting", "true")
	c.ask("POST", "/job/killed/build", "")
	c.until("/job/killed/1/consoleText", "begun")
	c.ask("POST", "/job/waiting/build?delay=600sec", "")
	c.Kill()
	if _, _, err := c.try("/"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("it still answers: %v", err)
	}
	if err := c.StartAgain(); err != nil {
		t.Fatal(err)
	}
	c.facts(
		fact{request: "GET /job/killed/api/json?tree=nextBuildNumber,lastBuild[number],builds[number]", status: 200,
			has: []string{`{"_class":"hudson.model.FreeStyleProject","builds":[],"lastBuild":null,"nextBuildNumber":2}`}},
		fact{request: "GET /job/killed/1/api/json", status: 404, headers: pageJ},
		fact{request: "GET /job/killed/1/logText/progressiveText?start=0", status: 404, headers: pageJ},
		fact{request: "GET /job/killed/1/consoleText", status: 404, headers: pageJ},
		fact{request: "GET /job/waiting/api/json?tree=queueItem[id,why],lastBuild[number]", status: 200,
			has: []string{`"lastBuild":null,"queueItem":null`}},
		fact{request: "POST /job/waiting/build?delay=600sec", status: 201, headers: []string{"Location: HERE/queue/item/1/"}},
	)
	if !runs("sleep\x00600.25\x00") {
		t.Error("the build's processes did not outlive the controller")
	}
	c.Close()
	if runs("sleep\x00600.25\x00") {
		t.Error("a build's processes outlived the test")
	}
}

// runs tells whether a process was begun by exactly this command line.
func runs(command string) bool {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		if text, err := os.ReadFile(f); err == nil && string(text) == command {
			return true
		}
	}
	return false
}

func TestFaults(t *testing.T) {
	c := begin(t, Options{})
	c.create("demo", "true")
	well := func() {
		t.Helper()
		if err := c.Well(); err != nil {
			t.Fatal(err)
		}
		if status, _, err := c.try("/job/demo/api/json"); status != 200 || err != nil {
			t.Fatalf("it is not well again: %d, %v", status, err)
		}
	}
	c.Down()
	if _, _, err := c.try("/"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("down: %v", err)
	}
	well()
	c.Hang()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", c.URL, nil)
	if _, err := http.DefaultTransport.RoundTrip(r); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hanging: %v", err)
	}
	well()
	for _, f := range []struct {
		fault  func()
		status int
		text   string
	}{
		{c.Unavailable, 503, "Service Temporarily Unavailable"},
		{c.HTML, 200, "another server"},
		{c.Unauthorised, 401, "Invalid password/token"},
		{c.LoginRedirect, 302, "commenceLogin"},
	} {
		f.fault()
		if status, text, err := c.try("/job/demo/api/json"); status != f.status || err != nil ||
			!strings.Contains(text, f.text) {
			t.Errorf("%d %q, %v, want %d %q", status, text, err, f.status, f.text)
		}
		well()
	}
	c.HalfJSON()
	if status, text, err := c.try("/job/demo/api/json"); status != 200 || !errors.Is(err, io.ErrUnexpectedEOF) ||
		!strings.HasPrefix(text, `{"_class"`) {
		t.Errorf("half: %d, %q, %v", status, text, err)
	}
	well()
}

func TestALostAnswer(t *testing.T) {
	c := begin(t, Options{})
	c.create("demo", "true")
	for _, lost := range []struct {
		order  func(method, pattern string)
		queued string
	}{{c.DropRequest, `"queueItem":null`}, {c.DropAnswer, `"queueItem":{`}} {
		lost.order("POST", "^/job/demo/build$")
		c.Requests()
		r, _ := http.NewRequestWithContext(t.Context(), "POST", c.URL+"/job/demo/build?delay=600sec", nil)
		r.SetBasicAuth("toaster", "toaster-token")
		if _, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r); err == nil {
			t.Error("there was an answer")
		}
		if asked := c.Requests(); len(asked) != 1 || asked[0].String() != "POST /job/demo/build?delay=600sec" {
			t.Errorf("the requests were %v", asked)
		}
		c.check(fact{request: "GET /job/demo/api/json?tree=queueItem[id]", status: 200, has: []string{lost.queued}})
	}
	c.Answer("POST", "^/job/demo/build$", 500, "<html>Oops</html>")
	c.check(fact{request: "POST /job/demo/build", status: 500})
	c.check(fact{request: "POST /job/demo/build", status: 201, headers: []string{"Location: HERE/queue/item/1/"}})
}

func TestPrefixAndTLS(t *testing.T) {
	c := begin(t, Options{Prefix: "/jenkins", TLS: true})
	pem, err := os.ReadFile(c.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	r, _ := http.NewRequestWithContext(t.Context(), "POST", c.URL+"/createItem?name=demo", strings.NewReader(demo))
	r.SetBasicAuth("toaster", "toaster-token")
	r.Header.Set("Content-Type", "application/xml")
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}
	a, err := transport.RoundTrip(r)
	if err != nil || a.StatusCode != 200 || !strings.HasPrefix(c.URL, "https://") ||
		!strings.HasSuffix(c.URL, "/jenkins") {
		t.Fatalf("%s: %v, %v", c.URL, a, err)
	}
	a.Body.Close()
	r, _ = http.NewRequestWithContext(t.Context(), "GET", strings.TrimSuffix(c.URL, "jenkins")+"job/demo/api/json", nil)
	r.SetBasicAuth("toaster", "toaster-token")
	if a, err = transport.RoundTrip(r); err != nil || a.StatusCode != 404 {
		t.Errorf("above the prefix: %v, %v", a, err)
	}
	a.Body.Close()
}
