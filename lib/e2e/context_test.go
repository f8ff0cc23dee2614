package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestALargeContext builds with a context that no script could carry: the build gets its files from the site, and a
// script that is run elsewhere gets them beside it.
func TestALargeContext(t *testing.T) {
	s := start(t)
	s.logIn()
	large := make([]byte, 5<<20)
	rand.NewChaCha8([32]byte{1}).Read(large)
	var archive bytes.Buffer
	z := gzip.NewWriter(&archive)
	w := tar.NewWriter(z)
	add := func(h tar.Header, content string) {
		h.Size, h.ModTime = int64(len(content)), time.Unix(1_700_000_000, 0)
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 2000 {
		add(tar.Header{Name: fmt.Sprintf("./files/%d/f%d", i%10, i), Mode: 0o644}, fmt.Sprint(i))
	}
	add(tar.Header{Name: "./large", Mode: 0o4755}, string(large))
	add(tar.Header{Name: "./other", Typeflag: tar.TypeLink, Linkname: "./large"}, "")
	add(tar.Header{Name: "./a name\twith \xff", Typeflag: tar.TypeSymlink, Linkname: "/large"}, "")
	add(tar.Header{Name: "./secret", Mode: 0o600}, strings.Repeat("not for the image", 100))
	add(tar.Header{Name: "./.dockerignore", Mode: 0o644}, "secret\n")
	add(tar.Header{Name: "./Dockerfile", Mode: 0o644}, "FROM debian:bookworm\nCOPY . /srv/\nRUN stat -c %h /srv/large > /links\n")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	var created struct{ ID string }
	resp := s.form("/jobs", map[string][]byte{"context": archive.Bytes()}, "target", target, "start", "1")
	if err := json.NewDecoder(resp.Body).Decode(&created); err != nil {
		t.Fatal(err)
	}
	s.status(resp, http.StatusCreated)
	job := "/jobs/" + created.ID
	log := s.follow(job + "/builds/1/log")
	var j struct{ State string }
	s.wait("the build's end", func() bool {
		s.json(job, &j)
		return j.State != "queued" && j.State != "running"
	})
	if j.State != "succeeded" {
		t.Fatalf("the build has %s; its log:\n%s", j.State, log)
	}
	s.download(job + "/builds/1/artifacts/" + target + ".tar.gz")
	got, text := s.entries(target + ".tar.gz")
	if h := got["srv/large"]; h == nil || h.Mode != 0o4755 || h.Size != int64(len(large)) || h.ModTime.Unix() != 1_700_000_000 {
		t.Errorf("the large file is %+v", h)
	}
	if h := got["srv/a name\twith \xff"]; h == nil || h.Linkname != "/large" {
		t.Errorf("the link is %+v", h)
	}
	if text["links"] != "2\n" || text["srv/files/7/f1997"] != "1997" || got["srv/secret"] != nil || got["srv/other"] == nil {
		t.Errorf("%q links; %q; %v", text["links"], text["srv/files/7/f1997"], got["srv/secret"])
	}
}
