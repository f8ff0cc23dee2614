package e2e

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/engine/jenkins/jenkinstest"
)

// A build on an agent of a Jenkins has a context of any size, which the agent gets from the site, once.
func TestOnAnAgentWithALargeContext(t *testing.T) {
	controller := jenkinstest.Start(t, jenkinstest.Options{})
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("toaster-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, `engine = "local"`, `engine = "jenkins"`, `user = ""`, `user = "toaster"`, `token_file = ""`,
		`token_file = "`+token+`"`, "example.org/\".\nurl = \"\"", "example.org/\".\nurl = \""+controller.URL+`"`)
	config := s.dir + "/toaster.toml"
	text, err := os.ReadFile(config)
	if err == nil { // by now, its address is known
		err = os.WriteFile(config, bytes.Replace(text, []byte(`url = ""`), []byte(`url = "`+s.url+`"`), 1), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.logIn()
	content := make([]byte, 5<<20)
	rand.NewChaCha8([32]byte{4}).Read(content)
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for name, text := range map[string][]byte{"big": content, "unused": content[:3<<20]} {
		w.WriteHeader(&tar.Header{Name: name, Mode: 0o640, Size: int64(len(text)), ModTime: time.Unix(1, 0)})
		w.Write(text)
	}
	w.Close()
	resp := s.form("/jobs", map[string][]byte{"context": archive.Bytes()}, "target", target,
		"text", "FROM debian:bookworm\nCOPY big /srv/big\nRUN sha256sum /srv/big\n")
	if resp.StatusCode != http.StatusCreated {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("%s: %s", resp.Status, text)
	}
	job := resp.Header.Get("Location")
	job = job[strings.Index(job, "/jobs/"):]
	for i, says := range []string{"fetching the build context (5.0 MiB) from ", "the build context (5.0 MiB) is on this agent already."} {
		s.status(s.post(job+"/start", nil), http.StatusAccepted)
		log := s.follow(fmt.Sprintf("%s/builds/%d/log", job, i+1))
		var j struct{ State string }
		s.wait("the build's end", func() bool {
			s.json(job, &j)
			return j.State != "queued" && j.State != "running"
		})
		if j.State != "succeeded" || !strings.Contains(log, says) ||
			!strings.Contains(log, fmt.Sprintf("%x  /srv/big", sha256.Sum256(content))) || strings.Contains(log, "/jobs/contexts/") {
			t.Fatalf("build %d has %s; its log:\n%s", i+1, j.State, log)
		}
	}
}
