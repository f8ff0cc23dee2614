package jenkins

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/buildcontext"
	"toaster.do/lib/engine"
)

// contextSite is a site that agents get one build context of.
type contextSite struct {
	*httptest.Server
	archive []byte
	context engine.BuildContext
	mu      sync.Mutex
	asked   []string                                                 // the ranges, in order
	answer  func(n int, w http.ResponseWriter, r *http.Request) bool // request n, from 1; false: as usual
}

const secretPart = "/x/jobs/contexts/A-secret_of-24-characters/k3/"

func newContextSite(t *testing.T, size int) *contextSite {
	t.Helper()
	random, files := rand.NewChaCha8([32]byte{1}), buildcontext.Memory{}
	m := &buildcontext.Manifest{}
	var need []string
	for i := 0; size > 0; i++ {
		n := min(size, 1<<20)
		text := make([]byte, n)
		random.Read(text)
		sum := fmt.Sprintf("%x", sha256.Sum256(text))
		files[sum], need, size = text, append(need, sum), size-n
		m.Entries = append(m.Entries, buildcontext.Entry{Path: fmt.Sprintf("f%03d", i), Type: "file", Mode: 0o644,
			Size: int64(n), SHA256: sum})
	}
	tar, err := buildcontext.NewTar(m, files, need)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := buildcontext.WriteTar(&b, m, files, need); err != nil {
		t.Fatal(err)
	}
	s := &contextSite{archive: b.Bytes()}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	s.context = engine.BuildContext{Manifest: tar.Manifest(), Files: need, ID: tar.ID(), Size: tar.Size(),
		Address: s.URL + secretPart + tar.ID() + ".tar"}
	return s
}

func (s *contextSite) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.Header.Get("Range"))
	n, answer := len(s.asked), s.answer
	s.mu.Unlock()
	if r.URL.Path != secretPart+s.context.ID+".tar" {
		http.NotFound(w, r)
	} else if answer == nil || !answer(n, w, r) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.archive))
	}
}

// requests are those since the last call.
func (s *contextSite) requests() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, s.asked = s.asked, nil
	return all
}

// cutAt lets the connections of the first requests break after so many bytes each.
func (s *contextSite) cutAt(places ...int) func(int, http.ResponseWriter, *http.Request) bool {
	return func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n > len(places) {
			return false
		}
		http.ServeContent(&cutting{w, places[n-1]}, r, "", time.Time{}, bytes.NewReader(s.archive))
		panic(http.ErrAbortHandler)
	}
}

type cutting struct {
	http.ResponseWriter
	left int
}

func (c *cutting) Write(p []byte) (int, error) {
	n := min(c.left, len(p))
	c.left -= n
	c.ResponseWriter.Write(p[:n])
	if n < len(p) {
		c.ResponseWriter.(http.Flusher).Flush()
		return n, http.ErrAbortHandler
	}
	return n, nil
}

// has is a script that has the context that the site sends.
const has = "tar -xf \"$TOASTER_CONTEXT\" -C . && sha256sum manifest && ls blobs | wc -l && (cd blobs && for f in *; do " +
	"echo \"$f  $f\"; done | sha256sum -c --quiet) && mkdir dist && rm -r blobs manifest && echo built\n"

// build lets an agent run a build that needs the site's context, within a time.
func (s *contextSite) build(t *testing.T, limit time.Duration, env ...string) (string, int) {
	t.Helper()
	job := engine.Job{Name: "demo", Script: []byte(has), TimeLimit: limit, Context: &s.context}
	for _, e := range env {
		t.Setenv(strings.SplitN(e, "=", 2)[0], strings.SplitN(e, "=", 2)[1])
	}
	out, status := runStep(t, string(shellStep(job)), t.TempDir())
	if strings.Contains(out, "secret_of") || strings.Contains(out, "contexts/A") {
		t.Errorf("the address is in the log: %s", out)
	}
	return out, status
}

func (s *contextSite) builds(t *testing.T, env ...string) (log string) {
	t.Helper()
	out, status := s.build(t, time.Minute, env...)
	want := fmt.Sprintf("%x  manifest\n%d\nbuilt\n", sha256.Sum256(s.context.Manifest), len(s.context.Files))
	if status != 0 || !strings.HasSuffix(out, want) {
		t.Errorf("it ended with %d: %s", status, out)
	}
	return out
}

// An agent with a cache gets a context once, any other each time; connections that break are gone on with.
func TestAnAgentGetsTheContext(t *testing.T) {
	s := newContextSite(t, 5<<20)
	cache := "TOASTER_CACHE_DIR=" + t.TempDir()
	for _, c := range []struct {
		name, env string
		want      []string
	}{
		{"no cache", "TOASTER_CACHE_DIR=", []string{""}},
		{"no cache, again", "TOASTER_CACHE_DIR=", []string{""}},
		{"a cache", cache, []string{""}},
		{"a cache, again", cache, nil},
		{"a cache that can't be written", "TOASTER_CACHE_DIR=/proc/none", []string{""}},
	} {
		out := s.builds(t, c.env)
		if got := s.requests(); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
			t.Errorf("%s: it asked for %q: %s", c.name, got, out)
		}
	}
	left, _ := filepath.Glob(strings.TrimPrefix(cache, "TOASTER_CACHE_DIR=") + "/contexts/*")
	if len(left) != 2 || filepath.Base(left[1]) != s.context.ID+".tar" {
		t.Errorf("the cache has %q", left)
	}
}

// Whatever breaks the connection, and however often, what has come stays; where nothing answers, it is tried again.
func TestAnAgentGoesOnWhereItWasCut(t *testing.T) {
	for _, tool := range []string{"curl", "wget"} {
		t.Run(tool, func(t *testing.T) {
			if tool == "wget" {
				t.Setenv("PATH", withoutCurl(t))
			}
			s := newContextSite(t, 3<<20)
			size := len(s.archive)
			for _, cuts := range [][]int{{0}, {1}, {511}, {512}, {size / 2}, {size - 1025}, {size - 1}, {1000, 1000, 1 << 20}} {
				s.answer = s.cutAt(cuts...)
				out := s.builds(t)
				want := []string{""}
				at := 0
				for _, n := range cuts {
					if at += n; at > 0 {
						want = append(want, fmt.Sprintf("bytes=%d-", at))
					} else {
						want = append(want, "")
					}
				}
				if got := s.requests(); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
					t.Errorf("cut at %v: it asked for %q, want %q: %s", cuts, got, want, out)
				}
			}
			s.answer = func(n int, w http.ResponseWriter, r *http.Request) bool {
				if n < 3 {
					http.Error(w, "at work", http.StatusServiceUnavailable)
				}
				return n < 3
			}
			if out := s.builds(t); len(s.requests()) != 3 || !strings.Contains(out, "Next try in 2 s.") {
				t.Errorf("after 503: %s", out)
			}
			// A server that knows no parts is asked for all of it.
			s.answer = func(n int, w http.ResponseWriter, r *http.Request) bool {
				if r.Header.Del("Range"); n == 1 {
					return s.cutAt(size/2)(n, w, r)
				}
				w.Write(s.archive)
				return true
			}
			s.builds(t)
		})
	}
}

// withoutCurl is a PATH with all programs of this one but curl.
func withoutCurl(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, from := range filepath.SplitList(os.Getenv("PATH")) {
		all, _ := filepath.Glob(from + "/*")
		for _, path := range all {
			if filepath.Base(path) != "curl" {
				os.Symlink(path, filepath.Join(dir, filepath.Base(path)))
			}
		}
	}
	return dir
}

// A site that can't be reached at first is, when it is back; one that stays away is told of.
func TestAnAgentWaitsForTheSite(t *testing.T) {
	s := newContextSite(t, 2<<20)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	l.Close()
	s.context.Address = strings.Replace(s.context.Address, s.URL, "http://"+at, 1)
	out, status := s.build(t, 2*time.Second)
	if status != failedStatus || !strings.Contains(out, "\nTOASTER-WHY the build context can't be fetched from %s: %s. Check") ||
		!strings.Contains(out, at) {
		t.Errorf("it ended with %d: %s", status, out)
	}
	go func() {
		time.Sleep(1500 * time.Millisecond)
		if l, err = net.Listen("tcp", at); err == nil {
			http.Serve(l, http.HandlerFunc(s.serve))
		}
	}()
	s.builds(t)
	l.Close()
}

// What can't be cured by waiting ends the build at once, and says what to do.
func TestAnAgentIsRefusedTheContext(t *testing.T) {
	for status, says := range map[int]string{
		http.StatusNotFound: "no longer knows the address", http.StatusGone: "has no build that needs this build context",
	} {
		for _, tool := range []string{"curl", "wget"} {
			t.Run(fmt.Sprint(status, tool), func(t *testing.T) {
				if tool == "wget" {
					t.Setenv("PATH", withoutCurl(t))
				}
				s := newContextSite(t, 2<<20)
				s.answer = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
					w.WriteHeader(status)
					return true
				}
				out, got := s.build(t, time.Minute)
				if got != failedStatus || !strings.Contains(out, "\nTOASTER-WHY %s ") || !strings.Contains(out, says) ||
					len(s.requests()) != 1 {
					t.Errorf("it ended with %d: %s", got, out)
				}
			})
		}
	}
}

// What was damaged, on its way or in the cache, is fetched again, and never used.
func TestAnAgentFindsADamagedContext(t *testing.T) {
	cache := t.TempDir()
	s := newContextSite(t, 3<<20)
	s.answer = func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n > 1 {
			return false
		}
		bad := bytes.Clone(s.archive)
		bad[len(bad)/2]++
		w.Write(bad)
		return true
	}
	s.builds(t, "TOASTER_CACHE_DIR="+cache)
	if got := s.requests(); len(got) != 2 {
		t.Errorf("it asked for %q", got)
	}
	s.answer = nil
	file := filepath.Join(cache, "contexts", s.context.ID+".tar")
	for name, damage := range map[string]func(b []byte) []byte{
		"a bit": func(b []byte) []byte { b[2<<20] ^= 1; return b }, "the manifest": func(b []byte) []byte { b[520]++; return b },
		"truncated": func(b []byte) []byte { return b[:1<<20] }, "empty": func([]byte) []byte { return nil },
		"longer": func(b []byte) []byte { return append(b, 0) }, "zeros": func(b []byte) []byte { clear(b); return b },
		"a file left out": func(b []byte) []byte { clear(b[1<<20:]); return b },
		"a header":        func(b []byte) []byte { b[130]++; return b },
	} {
		if err := os.WriteFile(file, damage(bytes.Clone(s.archive)), 0o600); err != nil {
			t.Fatal(err)
		}
		out := s.builds(t)
		if got := s.requests(); len(got) != 1 || !strings.Contains(out, "is damaged: ") {
			t.Errorf("%s: it asked for %q: %s", name, got, out)
		}
	}
	// A site that only has a damaged one.
	os.RemoveAll(cache)
	s.archive[len(s.archive)/2]++
	out, status := s.build(t, time.Minute)
	if left, _ := filepath.Glob(cache + "/contexts/*.tar"); status != failedStatus || len(left) > 0 ||
		!strings.Contains(out, "\nTOASTER-WHY the build context from %s is damaged: %s.\t") {
		t.Errorf("it ended with %d and left %q: %s", status, left, out)
	}
}

// A build that is stopped while it fetches ends at once, and leaves nothing but what it has in the cache.
func TestABuildIsStoppedWhileItFetches(t *testing.T) {
	s := newContextSite(t, 2<<20)
	asked, end := make(chan bool), make(chan bool)
	s.answer = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.Write(s.archive[:1<<20])
		w.(http.Flusher).Flush()
		close(asked)
		<-end
		return true
	}
	defer close(end)
	dir := t.TempDir()
	for _, name := range []string{"tmp", "ws"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	job := engine.Job{Name: "demo", Script: []byte(has), TimeLimit: time.Minute, Context: &s.context}
	if err := os.WriteFile(dir+"/step.sh", shellStep(job), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", dir+"/step.sh")
	cmd.Env = append(os.Environ(), "WORKSPACE="+dir+"/ws", "BUILD_NUMBER=1", "TMPDIR="+dir+"/tmp", "TOASTER_CACHE_DIR=")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	cmd.Process.Signal(syscall.SIGTERM)
	cmd.Wait()
	if left, _ := filepath.Glob(dir + "/tmp/*"); cmd.ProcessState.ExitCode() != 143 || len(left) > 0 {
		t.Errorf("it ended with %d and left %q", cmd.ProcessState.ExitCode(), left)
	}
}

// Two executors of an agent that need the same at once ask for it once.
func TestTwoExecutorsFetchOnce(t *testing.T) {
	s := newContextSite(t, 2<<20)
	t.Setenv("TOASTER_CACHE_DIR", t.TempDir())
	begun := make(chan bool)
	s.answer = func(n int, w http.ResponseWriter, _ *http.Request) bool {
		w.Write(s.archive[:1<<20])
		close(begun) // a second request would panic
		time.Sleep(time.Second)
		w.Write(s.archive[1<<20:])
		return true
	}
	var all sync.WaitGroup
	all.Go(func() { s.builds(t) })
	<-begun
	for range 3 {
		all.Go(func() {
			if out := s.builds(t); !strings.Contains(out, "is on this agent already") {
				t.Error(out)
			}
		})
	}
	all.Wait()
}

// The cache has a limit; what a build uses stays, and what was used last.
func TestTheCacheOfContextsHasALimit(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("TOASTER_CACHE_DIR", cache)
	os.Mkdir(cache+"/contexts", 0o700)
	name := func(c string) string { return filepath.Join(cache, "contexts", strings.Repeat(c, 64)) }
	for i, c := range []string{"a", "b", "c", "d"} {
		file := name(c) + ".tar"
		if i == 3 {
			file = name(c) + ".part"
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		os.Truncate(file, 4<<30)
		at := time.Now().Add(time.Duration(i-9) * time.Hour)
		os.Chtimes(file, at, at)
	}
	used, err := os.Create(name("a") + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer used.Close()
	if err := syscall.Flock(int(used.Fd()), syscall.LOCK_SH); err != nil {
		t.Fatal(err)
	}
	s := newContextSite(t, 2<<20)
	s.builds(t)
	left, _ := filepath.Glob(cache + "/contexts/*.[tp]a*")
	want := []string{name("a") + ".tar", name("d") + ".part", filepath.Join(cache, "contexts", s.context.ID+".tar")}
	slices.Sort(want)
	if !slices.Equal(left, want) {
		t.Errorf("the cache has %q, want %q", left, want)
	}
}

// A disk that is full is told of, and nothing is left on it but what can be gone on with.
func TestAnAgentsDiskIsFull(t *testing.T) {
	if os.Getuid() != 0 {
		lack(t, "root")
	}
	disk := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk).CombinedOutput(); err != nil {
		lack(t, string(out))
	}
	defer exec.Command("umount", "-l", disk).Run()
	s := newContextSite(t, 5<<20)
	out, status := s.build(t, time.Minute, "TOASTER_CACHE_DIR="+disk)
	if status != failedStatus || len(s.requests()) > 0 || !strings.Contains(out,
		"failed: the disk of this agent is full: 2 MiB are free in "+disk+"/contexts. The build context needs 6 MiB.") {
		t.Errorf("it ended with %d: %s", status, out)
	}
	// Others fill it meanwhile.
	exec.Command("mount", "-o", "remount,size=7m", disk).Run()
	s.answer = func(n int, _ http.ResponseWriter, _ *http.Request) bool {
		if n == 1 {
			os.WriteFile(disk+"/other", make([]byte, 4<<20), 0o600)
		}
		return false
	}
	out, status = s.build(t, time.Minute)
	if status != failedStatus || !strings.Contains(out, "failed: the disk of this agent is full: ") {
		t.Errorf("it ended with %d: %s", status, out)
	}
	os.Remove(disk + "/other")
	s.requests()
	s.answer = nil
	s.builds(t)
	if got := s.requests(); len(got) != 1 || !strings.HasPrefix(got[0], "bytes=") {
		t.Errorf("it asked for %q", got)
	}
}

func lack(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("missing: ", what)
	}
	t.Skip("missing: ", what)
}

// Without an address, a job is refused, and not defined; so is an address that would mean something to the shell.
func TestAContextWithoutAnAddressIsRefused(t *testing.T) {
	for _, address := range []string{"", "file:///etc/passwd", "http://a/\"b", "http://a/$(id)", "http://a/b\nc", "http://a/ b"} {
		err := checkContext(&engine.BuildContext{Address: address})
		if apperr.KindOf(err) != apperr.FailedPrecondition {
			t.Errorf("%q: %v", address, err)
		}
	}
}
