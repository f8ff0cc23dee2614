package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// random is some text of n bytes that can't be guessed.
func random(seed, n int) string {
	b := make([]byte, n)
	rand.New(rand.NewSource(int64(seed))).Read(b)
	return string(b)
}

// TestAConnectionIsCut at twenty places of what is sent, and of what comes: the build succeeds each time, its log is
// whole, and what was downloaded is right.
func TestAConnectionIsCut(t *testing.T) {
	s := newInstance(t)
	s.runner("seq 3000; mkdir dist; seq 30000 >dist/image; (cd dist && sha256sum image >SHA256SUMS)")
	p := newProxy(t, s.addr)
	u := s.user().with("TOASTER_URL=" + p.url())
	u.toaster("build", "-t", vm).exits(0)
	up, down := p.up.Load()+1_000_000, p.down.Load()
	number := 1
	for place := range 20 {
		number++
		u.write("big", random(number, 900_000))
		for i := range 5 {
			u.write(fmt.Sprint("small", i), random(number*10+i, 20_000))
		}
		s.must(os.RemoveAll(filepath.Join(u.project, "dist")))
		if n := int64(place/2) * 2 / 20; place%2 == 0 {
			p.cutAfter(n*up/10+int64(place)*up/20+1, true)
		} else {
			p.cutAfter(n*down/10+int64(place)*down/20+1, false)
		}
		r := u.toaster("build", "-t", vm).exits(0)
		if r.out != seq(3000) || p.cuts != 1 {
			t.Errorf("place %d: %d cuts, a log of %d bytes: %s", place, p.cuts, len(r.out), r.err)
		}
		image, err := os.ReadFile(filepath.Join(u.project, "dist", vm, "image"))
		if err != nil || string(image) != seq(30000) {
			t.Errorf("place %d: %v, %d bytes", place, err, len(image))
		}
	}
	if jobs := s.jobs(); len(jobs) != 1 || jobs[0].Last.Number != number {
		t.Errorf("%d jobs, %d builds of %d", len(jobs), jobs[0].Last.Number, number)
	}
}

func seq(n int) string {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintln(&b, i+1)
	}
	return b.String()
}

// TestALargeFileGoesOnWhereItStopped: of 40 MB that were cut off in their middle, less than 60 % are sent again.
func TestALargeFileGoesOnWhereItStopped(t *testing.T) {
	s := newInstance(t)
	p := newProxy(t, s.addr)
	u := s.user().with("TOASTER_URL=" + p.url())
	u.write("large", random(1, 40_000_000))
	p.cutAfter(20_000_000, true)
	u.toaster("build", "-t", vm, "--detach").exits(0)
	if n := p.up.Load(); p.cuts != 1 || n < 40_000_000 || n > 50_000_000 {
		t.Errorf("%d cuts, %d bytes were sent", p.cuts, n)
	}
	sent := p.up.Load()
	u.write("large", random(2, 1)+random(1, 40_000_000)[1:])
	u.write("run", "#!/bin/sh\nexec sleep 7\n")
	u.toaster("build", "-t", vm, "--detach").exits(0)
	if n := p.up.Load() - sent; n < 40_000_000 || n > 41_000_000 {
		t.Errorf("%d bytes were sent", n)
	}
}

// TestASiteThatRestarts, while a context is sent and while a build is followed.
func TestASiteThatRestarts(t *testing.T) {
	s := newInstance(t)
	down := s.runner(`echo one; while [ ! -e ` + s.dir + `/go ]; do sleep 0.1; done; echo two; mkdir dist; cd dist; echo x >x; sha256sum x >SHA256SUMS`)
	defer down()
	u := s.user()
	p := start(t, u.command("build", "-t", vm, "-o", "out"))
	p.says(t, p.out, "one\n")
	s.halt()
	p.says(t, p.err, "Trying again for up to 10 min")
	s.start()
	p.says(t, p.err, "available again")
	s.must(os.WriteFile(filepath.Join(s.dir, "go"), nil, 0o600))
	if r := u.wait(p).exits(0); r.out != "one\ntwo\n" {
		t.Errorf("%q", r.out)
	}
	// It does not try for longer than it was told.
	s.must(os.Remove(filepath.Join(s.dir, "go")))
	p = start(t, u.command("build", "-t", vm, "-o", "out", "--retry=2s"))
	p.says(t, p.out, "one\n")
	s.halt()
	u.wait(p).exits(3).complains("is lost", "toaster logs -f")
}

// TestCtrlC leaves a build running, and stops it when it is pressed again.
func TestCtrlC(t *testing.T) {
	s := newInstance(t)
	s.runner("echo begun; sleep 600")
	u := s.user()
	p := start(t, u.command("build", "-t", vm))
	p.says(t, p.out, "begun\n")
	s.must(p.Process.Signal(syscall.SIGINT))
	u.wait(p).exits(130).complains("Build 1 of shop goes on", "toaster logs -f", "Press Ctrl-C again")
	if j := s.jobs()[0]; j.Last.State != "running" || j.Last.Stopping() {
		t.Errorf("%+v", j.Last)
	}
	p = start(t, u.command("logs", "-f"))
	p.says(t, p.out, "begun\n")
	s.must(p.Process.Signal(syscall.SIGINT))
	p.says(t, p.err, "Press Ctrl-C again")
	s.must(p.Process.Signal(syscall.SIGINT))
	u.wait(p).exits(130).complains("is being stopped")
	u.toaster("logs", "-f").exits(1).complains("Build 1 of shop: aborted")
	// While files are sent, nothing has begun that would go on.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	defer silent.Close()
	p = start(t, u.command("build", "-t", vm, "--site", "http://"+silent.Addr().String()))
	c, err := silent.Accept()
	s.must(err)
	defer c.Close()
	s.must(p.Process.Signal(syscall.SIGINT))
	u.wait(p).exits(130).complains("No build was started")
}

// TestADownloadGoesOn where it stopped, and what is there is not fetched again.
func TestADownloadGoesOn(t *testing.T) {
	s := newInstance(t)
	s.runner("mkdir dist; head -c 3000000 /dev/urandom >dist/image; (cd dist && sha256sum image >SHA256SUMS)")
	u := s.user()
	u.toaster("build", "-t", vm, "--no-download").exits(0)
	p := newProxy(t, s.addr)
	slow := u.with("TOASTER_URL=" + p.url())
	p.cutAfter(2_000_000, false)
	slow.toaster("download", "shop", "--retry=0s").exits(3)
	got := p.down.Load()
	parts, _ := filepath.Glob(filepath.Join(u.project, "dist", vm, "image.*.part"))
	if len(parts) != 1 {
		t.Fatalf("%q", parts)
	}
	slow.toaster("download", "shop").exits(0)
	if n := p.down.Load() - got; n > 1_900_000 { // what was on its way when it was cut is lost
		t.Errorf("%d bytes came of what was missing", n)
	}
	got = p.down.Load()
	slow.toaster("download", "shop").exits(0)
	if n := p.down.Load() - got; n > 10_000 {
		t.Errorf("%d bytes came of what is there", n)
	}
	// What stands there of another file is not believed.
	image := filepath.Join(u.project, "dist", vm, "image")
	s.must(os.Remove(image))
	s.must(os.WriteFile(parts[0], make([]byte, 1000), 0o600))
	slow.toaster("download", "shop").exits(1).complains("checksum of image is wrong", "Download it again")
	slow.toaster("download", "shop").exits(0)
	if found, _ := filepath.Glob(filepath.Join(u.project, "dist", vm, "*.part")); len(found) != 0 {
		t.Errorf("%q", found)
	}
	// Somebody changes it later.
	u.toaster("verify", filepath.Dir(image)).exits(0)
	f, err := os.OpenFile(image, os.O_WRONLY|os.O_APPEND, 0)
	s.must(err)
	f.WriteString("x")
	f.Close()
	u.toaster("verify", filepath.Dir(image)).exits(1).complains("its checksum is wrong", "Do not use it")
	s.must(os.Remove(image))
	u.toaster("verify", filepath.Dir(image)).exits(1).complains("image")
	u.toaster("download", "shop", "nofile").exits(2).complains("left no file nofile")
	if text := u.toaster("download", "shop/1", "SHA256SUMS", "--json").exits(0).out; strings.Contains(text, `"path":"image"`) {
		t.Error(text)
	}
}

// TestADownloadOfOneFileKeepsTheOthers of the same build, and none of another one.
func TestADownloadOfOneFileKeepsTheOthers(t *testing.T) {
	s := newInstance(t)
	s.runner("mkdir dist; cd dist; date +%N >one; echo 2 >two; sha256sum one two >SHA256SUMS")
	u := s.user()
	there := func(name string) bool { return exists(filepath.Join(u.project, "dist", vm, name)) }
	u.toaster("build", "-t", vm).exits(0)
	u.toaster("download", "shop", "one").exits(0).complains("2 files verified")
	if !there("one") || !there("two") {
		t.Error("the other file is gone")
	}
	u.toaster("build", "-t", vm, "--no-download").exits(0)
	u.toaster("download", "shop/2", "one").exits(0).complains("1 file verified")
	if !there("one") || there("two") {
		t.Error("a file of another build is there")
	}
	u.toaster("download", "shop/2", "two").exits(0).complains("2 files verified")
}

// TestASiteThatBeginsAgain with a file each time, and never comes to its end, is not listened to for ever.
func TestASiteThatBeginsAgain(t *testing.T) {
	hostile := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, strings.Repeat("x", 500))
	}))
	defer hostile.Close()
	w := &world{ctx: t.Context(), err: io.Discard, retry: 2 * time.Second}
	c := w.client(site{URL: hostile.URL})
	ended := make(chan error, 1)
	go func() {
		ended <- c.download(w.ctx, &order{job: "j", number: 1},
			artifact{Path: "f", Size: 1000, SHA256: strings.Repeat("0", 64)}, t.TempDir(), w.bar("", 0))
	}()
	select {
	case err := <-ended:
		if !errors.As(err, new(*unreachable)) {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("it goes on")
	}
}

// TestCtrlCWhileABuildIsStarted: the site may have started it, though it has not said so yet.
func TestCtrlCWhileABuildIsStarted(t *testing.T) {
	s := newInstance(t)
	to := newProxy(t, s.addr)
	to.silentAfter("POST /jobs HTTP")
	u := s.user()
	p := start(t, u.command("build", "-t", vm, "--site", to.url()))
	select {
	case <-to.asked:
	case <-time.After(2 * time.Minute):
		t.Fatalf("nothing was ordered: %s", p.err)
	}
	s.must(p.Process.Signal(syscall.SIGINT))
	u.wait(p).exits(130).complains("A build may have been started: see “toaster jobs”")
	for until := time.Now().Add(2 * time.Minute); len(s.jobs()) == 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("none was")
		}
	}
}

// TestCtrlCWhileFilesAreRead does not wait for the end of a large one.
func TestCtrlCWhileFilesAreRead(t *testing.T) {
	s := newInstance(t, "[limits]", `context = "4096 GiB"`)
	u := s.user()
	u.write("huge", "")
	s.must(os.Truncate(filepath.Join(u.project, "huge"), 1<<40))
	p := start(t, u.command("build", "-t", vm))
	defer p.Process.Kill()
	reads := func() bool {
		open, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.Process.Pid))
		for _, fd := range open {
			if to, _ := os.Readlink(fd); filepath.Base(to) == "huge" {
				return true
			}
		}
		return false
	}
	for until := time.Now().Add(2 * time.Minute); !reads(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("it is not read: %s", p.err)
		}
	}
	s.must(p.Process.Signal(syscall.SIGINT))
	u.wait(p).exits(130).complains("No build was started")
}
