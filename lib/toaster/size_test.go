package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestOneByteOfTwentyThousandFiles has changed: less than 200 kB go over the wire.
func TestOneByteOfTwentyThousandFiles(t *testing.T) {
	s := newInstance(t)
	p := newProxy(t, s.addr)
	u := s.user().with("TOASTER_URL=" + p.url())
	text := random(1, 1_000)
	for i := range 20_000 {
		u.write(fmt.Sprintf("d%d/%d", i%100, i), fmt.Sprint(i)+text)
	}
	begun := time.Now()
	u.toaster("build", "-t", vm, "--detach").exits(0)
	t.Logf("first: %v, %d bytes", time.Since(begun), p.up.Load())
	if n := p.up.Load(); n > 45_000_000 {
		t.Errorf("%d bytes were sent", n)
	}
	u.write("d7/7", "7"+text[:999]+"!")
	sent := p.up.Load()
	begun = time.Now()
	if e := u.toaster("build", "-t", vm, "--detach", "--json").exits(0).event("upload"); e["files"] != 1.0 {
		t.Errorf("%v", e)
	}
	t.Logf("one byte: %v, %d bytes", time.Since(begun), p.up.Load()-sent)
	if n := p.up.Load() - sent; n > 200_000 {
		t.Errorf("%d bytes were sent for one that has changed", n)
	}
	sent = p.up.Load()
	u.toaster("build", "-t", vm, "--detach").exits(0).complains("Nothing has changed")
	if n := p.up.Load() - sent; n > 10_000 {
		t.Errorf("%d bytes were sent for none that has changed", n)
	}
}

// TestWhatIsTooLargeIsToldBefore it is sent, with the largest files.
func TestWhatIsTooLargeIsToldBefore(t *testing.T) {
	s := newInstance(t, "[limits]", `context = "1 MiB"`, "context_entries = 20")
	p := newProxy(t, s.addr)
	u := s.user().with("TOASTER_URL=" + p.url())
	u.write("data/huge", random(1, 1<<20))
	u.toaster("build", "-t", vm).exits(2).complains("too large for a build context", "1.0 MiB  data/huge", ".dockerignore")
	u.write(".dockerignore", "data\n")
	for i := range 20 {
		u.write(fmt.Sprint(i), "")
	}
	u.toaster("build", "-t", vm).exits(2).complains("may have 20")
	if n := p.up.Load(); n > 2000 {
		t.Errorf("%d bytes were sent", n)
	}
}

// TestTheHelpOffersTheCommand, and its checksum.
func TestTheHelpOffersTheCommand(t *testing.T) {
	s := newInstance(t, `client = "client"`)
	get := func(path string) string {
		t.Helper()
		r, err := http.Get(s.url() + path)
		s.must(err)
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("%v %d %s", err, r.StatusCode, text)
		}
		return string(text)
	}
	if page := get("/help"); strings.Contains(page, "static/client/toaster-linux-amd64?v=") {
		t.Error("it offers what is not there")
	}
	program, err := os.ReadFile(filepath.Join(programs, "toaster"))
	s.must(err)
	s.must(os.Mkdir(s.dir+"/client", 0o755))
	s.must(os.WriteFile(s.dir+"/client/toaster-linux-amd64", program, 0o755))
	bytes := sha256.Sum256(program)
	sum := hex.EncodeToString(bytes[:])
	s.must(os.WriteFile(s.dir+"/client/SHA256SUMS",
		[]byte(sum+"  toaster-linux-amd64\n"+sum+"  toaster-linux-arm64\n"), 0o644))
	page := get("/help")
	if !strings.Contains(page, sum) || !strings.Contains(page, "/static/client/toaster-linux-amd64?v="+sum[:8]) ||
		strings.Contains(page, "linux-arm64") {
		t.Errorf("%s", page)
	}
	if get("/static/client/toaster-linux-amd64?v="+sum[:8]) != string(program) {
		t.Error("another file comes")
	}
}
