package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// adjusted changes lines of a site's configuration: "key = old" becomes "key = new" where the old line is.
func adjusted(t *testing.T, config string, oldnew ...string) {
	t.Helper()
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(string(text), "\n"+oldnew[i]+"\n") {
			t.Fatalf("the configuration has no line %q", oldnew[i])
		}
	}
	write(t, config, strings.NewReplacer(oldnew...).Replace(string(text)))
}

func TestARequestIsOneLineOfJSON(t *testing.T) {
	config := newSite(t)
	adjusted(t, config, `format = "text"`, `format = "json"`)
	s := newServer(t, "--config", config)
	resp, err := s.client.Get(s.url + "/jobs/0123456789ab?x=1")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if err := s.end(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var line struct {
		Level, Msg, Request, Method, Program, Path, Route string
		Status                                            int
		Took                                              int64
	}
	for _, text := range strings.Split(s.stderr.String(), "\n") {
		if strings.HasPrefix(text, "{") {
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
		}
	}
	if line.Route != "/{id}" || line.Path != "/0123456789ab" || line.Program != "jobs" ||
		line.Status != http.StatusSeeOther || line.Took == 0 || line.Request != resp.Header.Get("X-Request-Id") {
		t.Errorf("%+v in %s", line, s.stderr.String())
	}
}

func TestNoBuildStartsWhileTheDiskIsNearlyFull(t *testing.T) {
	config := newSite(t)
	dockerfile := write(t, filepath.Join(t.TempDir(), "Dockerfile"), simple)
	id := ctl(t, "", "job", "add", "--config", config, "--owner", email, "--target", rootfs, dockerfile).exits(0).word()
	adjusted(t, config, `free_disk = "1 GiB"`, `free_disk = "4000000 GiB"`)
	ctl(t, "", "job", "start", "--config", config, id).exits(1).complains("nearly full", "limits.free_disk",
		"Free some space")
	ctl(t, "", "job", "list", "--config", config).exits(0).says("new")
	adjusted(t, config, `free_disk = "4000000 GiB"`, `free_disk = 0`)
	ctl(t, "", "job", "start", "--config", config, id).exits(0).complains("queued")
}
