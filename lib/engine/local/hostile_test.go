package local

import (
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
)

// sql changes the database as whoever can write to it.
func (h *fixture) sql(statement string, args ...any) {
	h.Helper()
	db, err := sql.Open("sqlite3", h.Database)
	if err != nil {
		h.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement, args...); err != nil {
		h.Fatal(err)
	}
}

func TestWhatIsPlantedInTheDatabaseIsNotRun(t *testing.T) {
	canary := filepath.Join(t.TempDir(), "canary")
	planted := "touch " + canary + "\n"
	asSource, err := json.Marshal(engine.Source{Dockerfile: []byte(planted)})
	if err != nil {
		t.Fatal(err)
	}
	for name, source := range map[string][]byte{"a script": []byte(planted), "another source": asSource,
		"nothing": {}} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			h.create("job", "echo hello")
			h.sql("UPDATE local_job SET source = ?", source)
			h.runner(nil)
			b := h.becomes("job", h.start("job"), engine.Failed)
			if !strings.Contains(b.Reason.String(), "changed in the database") ||
				!strings.Contains(h.log("job", 1), b.Reason.String()) {
				t.Errorf("its reason is %q, its log %q", b.Reason, h.log("job", 1))
			}
			if _, err := os.Stat(canary); err == nil {
				t.Error("it was run")
			}
			h.create("job", "echo hello")
			h.becomes("job", h.start("job"), engine.Succeeded)
		})
	}
}

func TestASourceThatNoScriptCanBeMadeFrom(t *testing.T) {
	h := newFixture(t)
	h.runner(func(r *Runner) {
		r.Make = func(src engine.Source) (engine.Made, error) {
			if string(src.Dockerfile) == "set -e\npanic\n" {
				panic("the translator is broken")
			}
			return engine.Made{}, apperr.New(apperr.InvalidArgument, "There is no target \"x\".", "Choose one from the list.")
		}
	})
	for name, want := range map[string]string{"refused": `There is no target "x". Choose one from the list.`,
		"panic": "can't be created"} {
		h.create(name, name)
		if b := h.becomes(name, h.start(name), engine.Failed); !strings.Contains(b.Reason.String(), want) {
			t.Errorf("%s: %q", name, b.Reason)
		}
	}
	h.clean()
}

// hostile is a Dispatcher in a stranger's hands.
type hostile struct {
	*testing.T
	*wire
	hello
	last  int64
	early *end // a build's end that came before the answer which was waited for
}

func newHostile(t *testing.T, k Executor) *hostile {
	t.Helper()
	dispatcherConn, executorConn, err := connPair()
	if err != nil {
		t.Fatal(err)
	}
	k.Log, k.Concurrency = slog.New(slog.NewTextHandler(t.Output(), nil)), max(k.Concurrency, 1)
	if k.Make == nil {
		k.Make = theDockerfile
	}
	ended := make(chan error, 1)
	go func() { ended <- k.Run(t.Context(), executorConn) }()
	h := &hostile{T: t, wire: &wire{ReadWriteCloser: dispatcherConn}}
	var first reply
	if err := h.receive(&first); err != nil || first.Hello == nil {
		t.Fatalf("%+v, %v", first, err)
	}
	h.hello = *first.Hello
	t.Cleanup(func() {
		dispatcherConn.Close()
		<-ended
	})
	return h
}

// asks sends a request, and returns what the Executor says to it.
func (h *hostile) asks(r request) (a reply) {
	h.Helper()
	h.last++
	r.ID = h.last
	if err := h.send(r); err != nil {
		h.Fatal(err)
	}
	for {
		a = reply{}
		if err := h.receive(&a); err != nil {
			h.Fatalf("%s: %v", r.Op, err)
		}
		if a.ID == r.ID {
			return a
		}
		if a.End != nil {
			h.early = a.End
		}
	}
}

// ends waits for the end of a build.
func (h *hostile) ends() *end {
	h.Helper()
	if e := h.early; e != nil {
		h.early = nil
		return e
	}
	for {
		var a reply
		if err := h.receive(&a); err != nil {
			h.Fatal(err)
		}
		if a.End != nil {
			return a.End
		}
	}
}

func TestAHostileQueue(t *testing.T) {
	dir := t.TempDir()
	canary := filepath.Join(dir, "canary")
	if err := os.WriteFile(canary, []byte("alive"), 0o600); err != nil {
		t.Fatal(err)
	}
	k := Executor{Dir: filepath.Join(dir, "builds"), WorkDir: filepath.Join(dir, "work")}
	h := newHostile(t, k)
	sum := strings.Repeat("0", 64)
	for what, r := range map[string]request{
		"no request":                    {Op: "exec", Job: "x"},
		"a path for a job":              {Op: opPrepare, Ticket: 1, Job: "../../etc", Number: 1},
		"a folder of the runner's own":  {Op: opDelete, Job: "@stage", Number: 1},
		"the folder above":              {Op: opDelete, Job: "..", Number: 1},
		"a number that is none":         {Op: opDelete, Job: "job", Number: -1},
		"another folder as a runner":    {Op: opCleanUp, Runners: []string{"../.."}},
		"a runner with a path":          {Op: opFindDead, Runners: []string{"runner-AAAAAAAAAAAAAAAAAAAAAAAAA/"}},
		"a build without a place":       {Op: opBuild, Ticket: 7, SHA256: sum},
		"an end of what never began":    {Op: opPublish, Ticket: 7},
		"a limit of time below nothing": {Op: opBuild, Ticket: 7, SHA256: sum, TimeLimit: -1},
		"a lost build elsewhere":        {Op: opMarkLost, Job: "a/../../../canary", Number: 1},
		"a job where none belongs":      {Op: opStop, Job: "../x"},
	} {
		if a := h.asks(r); a.Error == "" {
			t.Errorf("%s is no error", what)
		}
	}
	if a := h.asks(request{Op: opPrepare, Ticket: 1, Job: "job", Number: 1}); a.Error != "" {
		t.Fatal(a.Error)
	}
	if a := h.asks(request{Op: opPrepare, Ticket: 2, Job: "job", Number: 2}); !strings.Contains(a.Error, "no slot") {
		t.Errorf("a second build at once: %q", a.Error)
	}
	// A script other than the source's is not run, whatever checksum comes with it.
	h.asks(request{Op: opBuild, Ticket: 1, SHA256: sum, Source: engine.Source{Dockerfile: []byte("rm " + canary)}})
	if e := h.ends(); e.State != engine.Failed ||
		!strings.Contains(i18n.Text(e.Reason).String(), "differs from the expected one") {
		t.Errorf("it ended as %+v", e)
	}
	if a := h.asks(request{Op: opBuild, Ticket: 1, SHA256: sum}); a.Error == "" {
		t.Error("a build begins twice")
	}
	h.asks(request{Op: opCleanUp, Runners: []string{h.Runner}})
	if _, err := os.Stat(filepath.Join(k.Dir, runnersFolder, h.Runner)); err != nil {
		t.Errorf("a living runner was cleared away: %v", err)
	}
	if text, err := os.ReadFile(canary); string(text) != "alive" {
		t.Errorf("the canary: %q, %v", text, err)
	}
}

func TestFramesThatCantBe(t *testing.T) {
	for what, frame := range map[string][]byte{
		"too long":  binary.BigEndian.AppendUint32(nil, maxFrame+1),
		"cut short": append(binary.BigEndian.AppendUint32(nil, maxFrame), "{}"...),
		"no JSON":   append(binary.BigEndian.AppendUint32(nil, 4), "true"...),
	} {
		dir := t.TempDir()
		dispatcherConn, executorConn, err := connPair()
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		k := Executor{Dir: filepath.Join(dir, "builds"), WorkDir: filepath.Join(dir, "work"), Make: theDockerfile,
			Log: slog.New(slog.DiscardHandler)}
		go func() { ended <- k.Run(t.Context(), executorConn) }()
		go io.Copy(io.Discard, dispatcherConn)
		if _, err := dispatcherConn.Write(frame); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Shutdown(int(dispatcherConn.Fd()), syscall.SHUT_WR); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if err == nil {
				t.Errorf("%s: no error", what)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: the runner goes on", what)
		}
		dispatcherConn.Close()
	}
}

func FuzzRequests(f *testing.F) {
	for _, r := range []request{{Op: opPrepare, Job: "job", Number: 1},
		{Op: opCleanUp, Runners: []string{"runner-" + strings.Repeat("A", 26)}},
		{Op: opBuild, SHA256: strings.Repeat("0", 64)}} {
		text, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var r request
		if json.Unmarshal(text, &r) != nil || r.check() != nil {
			return
		}
		for _, path := range append([]string{r.Job}, r.Runners...) {
			if path != "" &&
				(filepath.Base(path) != path || path == ".." || path == "." || strings.HasPrefix(path, "@")) {
				t.Errorf("%q passes", path)
			}
		}
	})
}

// A process that is its own session's and namespaces', and has no mark left, ends with its build all the same.
func TestNoProcessHides(t *testing.T) {
	needRoot(t)
	if !canContain() {
		t.Fatal("this host does not let root make a process namespace")
	}
	h := newFixture(t)
	h.runner(nil)
	name := fmt.Sprintf("toaster-hides-%d", os.Getpid())
	hide := `cp /bin/sleep "$TMPDIR/` + name +
		`"; env -i setsid unshare --user --map-root-user --pid --fork "$TMPDIR/` + name +
		`" 600 </dev/null >/dev/null 2>&1 & sleep 0.5`
	there := func() bool { return exec.Command("pgrep", "-f", name+" 600").Run() == nil }
	h.create("ends", hide, "pgrep -f '"+name+" 600' >/dev/null && echo it hides")
	b := h.becomes("ends", h.start("ends"), engine.Succeeded)
	if there() || !strings.Contains(h.log("ends", b.Number), "it hides") {
		t.Error("a hidden process outlives its build")
	}
	h.create("stopped", hide, "echo begun", "sleep 600")
	b = h.becomes("stopped", h.start("stopped"), engine.Running)
	h.says("stopped", b.Number, "begun")
	if err := h.Stop(t.Context(), "stopped", b.Number); err != nil {
		t.Fatal(err)
	}
	h.becomes("stopped", b.Ticket, engine.Aborted)
	if there() {
		t.Error("a hidden process outlives its build, which was stopped")
	}
	r := h.process()
	h.create("orphan", hide, "echo begun", "sleep 600")
	for { // by the one that will be killed
		b = h.becomes("orphan", h.start("orphan"), engine.Running)
		stored, err := h.db.LocalBuild(t.Context(), "orphan", b.Number)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(runnerOf(t, r.Process.Pid)), stored.Runner) {
			break
		}
		if err := h.Stop(t.Context(), "orphan", b.Number); err != nil {
			t.Fatal(err)
		}
		h.becomes("orphan", b.Ticket, engine.Aborted)
	}
	h.says("orphan", b.Number, "begun")
	r.Process.Kill()
	r.Wait()
	h.until("the hidden process has ended", func() bool { return !there() })
}

// runnerOf returns what a process has open: its runner's file is among it.
func runnerOf(t *testing.T, pid int) (names []byte) {
	t.Helper()
	all, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, fd := range all {
		name, _ := os.Readlink(fd)
		names = append(names, name+"\n"...)
	}
	return names
}

func TestArtifactsAreBounded(t *testing.T) {
	h := newFixture(t)
	h.runner(func(r *Runner) { r.ArtifactLimit = 1 << 20 })
	for name, c := range map[string]struct{ script, reason string }{
		"large":   {"mkdir dist; truncate -s 1048577 dist/image", "more than 1 MiB"},
		"many":    {"mkdir dist; cd dist; seq 10001 | xargs touch", "more than 10000 files"},
		"folders": {"mkdir dist; cd dist; seq 10001 | xargs mkdir", "more than 10000 files"},
		"fifos":   {"mkdir dist; cd dist; seq 10001 | xargs mkfifo", "more than 10000 files"},
		"deep": {"mkdir dist; cd dist; for i in $(seq 300); do mkdir deeper; cd deeper; done",
			"path of more than 1000 bytes"},
		"sums": {"mkdir dist; yes x | head -c 900000 >dist/SHA256SUMS; truncate -s 1000000 dist/SHA256SUMS",
			"SHA256SUMS has an invalid line"},
	} {
		h.create(name, c.script)
		if b := h.becomes(name, h.start(name), engine.Failed); !strings.Contains(b.Reason.String(), c.reason) {
			t.Errorf("%s: %q", name, b.Reason)
		}
	}
	h.create("modest", "mkdir dist; truncate -s 1048576 dist/image")
	h.becomes("modest", h.start("modest"), engine.Succeeded)
	h.clean()
}

// From another file system they are copied: not what would fill this one, and holes stay holes.
func TestArtifactsLeaveTheDiskItsReserve(t *testing.T) {
	needRoot(t)
	h := newFixture(t)
	h.WorkDir = filepath.Join(t.TempDir(), "work")
	if err := os.MkdirAll(h.WorkDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", h.WorkDir, "tmpfs", 0, "size=64m"); err != nil {
		t.Fatal("root cannot mount here:", err)
	}
	t.Cleanup(func() { syscall.Unmount(h.WorkDir, syscall.MNT_DETACH) })
	h.create("job", "mkdir -p dist/sub", "truncate -s 1G dist/sub/image", "echo end >>dist/sub/image",
		"cd dist; sha256sum sub/image >SHA256SUMS")
	end := h.runner(nil)
	b := h.becomes("job", h.start("job"), engine.Succeeded)
	fi, err := os.Stat(filepath.Join(h.Dir, folder("job", b.Number), "dist/sub/image"))
	if err != nil || fi.Size() != 1<<30+4 || fi.Sys().(*syscall.Stat_t).Blocks > 1000 {
		t.Errorf("%+v, %v", fi, err)
	}
	end()
	h.runner(func(r *Runner) { r.FreeDisk = 1 << 60 })
	if b := h.becomes("job", h.start("job"), engine.Failed); !strings.Contains(b.Reason.String(),
		"disk for builds is full") {
		t.Errorf("its reason is %q", b.Reason)
	}
	h.clean()
}
