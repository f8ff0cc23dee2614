package local

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"toaster.do/lib/engine"
)

func TestStopEndsTheWholeProcessTree(t *testing.T) {
	h := newFixture(t)
	h.runner(nil)
	// One child in the group, one in a session of its own, one that ignores SIGTERM, and one that does both.
	h.create("tree", "sleep 600 &", "setsid sleep 600 &", "sh -c 'trap \"\" TERM; while :; do sleep 1; done' &",
		"setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' &", "echo begun", "wait")
	b := h.becomes("tree", h.start("tree"), engine.Running)
	h.says("tree", b.Number, "begun")
	if err := h.Stop(t.Context(), "tree", b.Number); err != nil {
		t.Fatal(err)
	}
	b = h.becomes("tree", b.Ticket, engine.Aborted)
	if someoneMarked(h.WorkDir) {
		t.Error("some of its processes live")
	}
	if log := h.log("tree", b.Number); !strings.HasSuffix(log, "toaster: "+b.Reason.String()+"\n") ||
		b.Reason.IsZero() {
		t.Errorf("its log does not end with the reason %q: %q", b.Reason, log)
	}
	h.clean()
}

func TestChildrenEndWithTheScript(t *testing.T) {
	h := newFixture(t)
	h.runner(nil)
	h.create("daemon", "sleep 600 & setsid sleep 600 &", "echo done")
	h.becomes("daemon", h.start("daemon"), engine.Succeeded)
	h.clean()
}

func TestScriptThatIgnoresSIGTERM(t *testing.T) {
	h := newFixture(t)
	h.runner(nil)
	h.create("deaf", "trap '' TERM", "echo begun", "while :; do sleep 600 || :; done")
	b := h.becomes("deaf", h.start("deaf"), engine.Running)
	h.says("deaf", b.Number, "begun")
	if err := h.Stop(t.Context(), "deaf", b.Number); err != nil {
		t.Fatal(err)
	}
	h.becomes("deaf", b.Ticket, engine.Aborted)
	h.clean()
}

func TestOutputLimit(t *testing.T) {
	h := newFixture(t)
	h.OutputLimit = 10000
	h.runner(nil)
	h.create("flood", "echo begun", "yes")
	h.create("burst", "yes | head -c 100000", "echo hello >&2")
	h.create("modest", "yes | head -c 10000")
	for _, name := range []string{"flood", "burst"} {
		b := h.becomes(name, h.start(name), engine.Failed)
		log := h.log(name, b.Number)
		if note := "toaster: " + b.Reason.String() + "\n"; !strings.HasSuffix(log, note) ||
			!strings.Contains(b.Reason.String(), "10000 bytes") || len(log) > 10001+len(note) {
			t.Errorf("%s: its log has %d bytes; its reason is %q", name, len(log), b.Reason)
		}
	}
	h.becomes("modest", h.start("modest"), engine.Succeeded)
}

func TestRunnersTimeLimit(t *testing.T) {
	h := newFixture(t)
	h.runner(func(r *Runner) { r.TimeLimit = time.Second })
	h.define(engine.Job{Name: "unlimited"}, "sleep 600")
	h.define(engine.Job{Name: "shorter", TimeLimit: time.Millisecond}, "sleep 600")
	h.define(engine.Job{Name: "longer", TimeLimit: time.Hour}, "sleep 2")
	for name, limit := range map[string]string{"unlimited": "1s", "shorter": "1ms"} {
		if b := h.becomes(name, h.start(name), engine.Failed); !strings.Contains(b.Reason.String(), limit) {
			t.Errorf("%s: %q", name, b.Reason)
		}
	}
	h.becomes("longer", h.start("longer"), engine.Succeeded)
}

func TestShutdownLosesBuildsAndKeepsStarts(t *testing.T) {
	h := newFixture(t)
	end := h.runner(func(r *Runner) { r.Concurrency = 1 })
	h.create("runs", "trap '' TERM", "echo begun", "sleep 600", "sleep 600")
	h.create("waits", "echo hello")
	b := h.becomes("runs", h.start("runs"), engine.Running)
	h.says("runs", b.Number, "begun")
	waiting := h.start("waits")
	h.until("it waits for a slot", func() bool {
		w := h.status("waits").Waiting
		return w != nil && w.Position == 1 && w.Reason.String() == "waits for a runner"
	})
	end()
	if b := h.status("runs").Builds[0]; b.State != engine.Lost ||
		b.Reason.String() != "The runner was shut down during this build." {
		t.Errorf("the build that ran: %+v", b)
	}
	if w := h.status("waits").Waiting; w == nil || w.Ticket != waiting ||
		w.Reason.String() != "no runner is running: start “toasterctl runner”" {
		t.Errorf("the start that waited: %+v", w)
	}
	if hl := h.Health(t.Context()); hl.Message.String() != noRunner || hl.Queue != 1 || !hl.Reachable {
		t.Errorf("health without a runner: %+v", hl)
	}
	h.clean()
	h.runner(nil)
	h.becomes("waits", waiting, engine.Succeeded)
}

func TestBuildsGetAnEnvironmentOfTheirOwn(t *testing.T) {
	t.Setenv("SECRET", "of the runner")
	t.Setenv("TOASTER_MIRROR", "passed on")
	t.Setenv("SOURCE_DATE_EPOCH", "1234567890")
	h := newFixture(t)
	h.runner(nil)
	h.create("env", "env", "umask", "timeout 0.2 cat || echo stdin stays open", "tty || :",
		`test "$TMPDIR" != "$WORKSPACE"`, `touch "$TMPDIR/x"`)
	b := h.becomes("env", h.start("env"), engine.Succeeded)
	log := h.log("env", b.Number)
	for _, want := range []string{"LANG=C.UTF-8\n", "TOASTER_MIRROR=passed on\n", "SOURCE_DATE_EPOCH=1234567890\n",
		"TOASTER_SCRIPT_SHA256=", "BUILD_NUMBER=1\n", "JOB_NAME=env\n", "0022\n", "stdin stays open\n", "not a tty\n"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	if strings.Contains(log, "SECRET") {
		t.Error("the runner's environment got in")
	}
}

func TestPathsMayBeRelativeAndLinks(t *testing.T) {
	h := newFixture(t)
	t.Chdir(filepath.Dir(h.Database))
	if err := os.MkdirAll("elsewhere", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("elsewhere", "link"); err != nil {
		t.Fatal(err)
	}
	h.runner(func(r *Runner) { r.Dir, r.WorkDir = "builds", "link/work" })
	h.create("job", `test "$PWD" = "$WORKSPACE"`, `mkdir dist`, `pwd -P >dist/where`)
	b := h.becomes("job", h.start("job"), engine.Succeeded)
	s, err := h.Open(t.Context(), "job", b.Number, "where", engine.Range{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if where, err := io.ReadAll(s); err != nil ||
		!strings.HasPrefix(string(where), filepath.Join(filepath.Dir(h.Database), "elsewhere/work/runner-")) {
		t.Errorf("it worked in %q, %v", where, err)
	}
}

func TestSumsAreVerified(t *testing.T) {
	h := newFixture(t)
	h.runner(nil)
	for name, c := range map[string]struct{ line, reason string }{
		"wrong":   {"echo image >image; sha256sum image >SHA256SUMS; echo changed >image", "does not match"},
		"missing": {"echo image >image; sha256sum image >SHA256SUMS; rm image", "not in dist"},
		"broken":  {"echo nonsense >SHA256SUMS", "has an invalid line"},
	} {
		h.create(name, "mkdir dist; cd dist", c.line)
		b := h.becomes(name, h.start(name), engine.Failed)
		if !strings.Contains(b.Reason.String(), c.reason) ||
			!strings.Contains(h.log(name, b.Number), b.Reason.String()) {
			t.Errorf("%s: the reason is %q", name, b.Reason)
		}
		if list, err := h.Artifacts(t.Context(), name, b.Number); err != nil || len(list) != 0 {
			t.Errorf("%s: artifacts %v, %v", name, list, err)
		}
	}
	h.create("right", "mkdir dist; cd dist", "printf x >'back\\slash'; printf y >' spaces '",
		"sha256sum -- * >SHA256SUMS; cat SHA256SUMS")
	h.becomes("right", h.start("right"), engine.Succeeded)
	h.clean()
}

func TestOnlyWhatCanBeServedIsKept(t *testing.T) {
	h := newFixture(t)
	h.runner(nil)
	h.create("odd", "mkdir -p dist/sub/empty; cd dist",
		"echo image >image; chmod 000 image; mkfifo fifo; ln -s /etc/passwd link; ln image hard",
		`printf x >"$(printf 'new\nline')"; printf x >"$(printf 'latin\351')"; mkdir shut; echo x >shut/x; chmod 000 shut`)
	b := h.becomes("odd", h.start("odd"), engine.Succeeded)
	list, err := h.Artifacts(t.Context(), "odd", b.Number)
	if err != nil || len(list) != 3 || list[0].Path != "hard" || list[1].Path != "image" || list[2].Path != "shut/x" {
		t.Errorf("artifacts: %+v, %v", list, err)
	}
	log := h.log("odd", b.Number)
	for _, want := range []string{"dist/fifo is not kept", "dist/link is not kept", `dist/new\nline is not kept`,
		`dist/latin\xe9 is not kept`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	// Directories that their owner can't write to are cleared away too.
	h.create("shut", "mkdir -p shut/deep; touch shut/deep/x; chmod -R a-w shut")
	h.becomes("shut", h.start("shut"), engine.Succeeded)
	h.clean()
	for _, script := range []string{"echo x >dist", "ln -s /etc dist"} {
		h.create("file", script)
		h.becomes("file", h.start("file"), engine.Failed)
	}
}

// A sparse file of 4 GB goes from the build to a reader without passing through memory.
func TestLargeArtifact(t *testing.T) {
	const size = 4<<30 + 10
	h := newFixture(t)
	h.runner(nil)
	h.create("large", "mkdir dist; truncate -s 4294967296 dist/image", "printf 0123456789 >>dist/image")
	b := h.becomes("large", h.start("large"), engine.Succeeded)
	list, err := h.Artifacts(t.Context(), "large", b.Number)
	if err != nil || len(list) != 1 || list[0].Size != size {
		t.Fatalf("%+v, %v", list, err)
	}
	s, err := h.Open(t.Context(), "large", b.Number, "image", engine.Range{Start: -10})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if text, err := io.ReadAll(s); string(text) != "0123456789" || s.Size != size || s.Start != size-10 {
		t.Errorf("its end is %q, %+v, %v", text, s, err)
	}
	whole, err := h.Open(t.Context(), "large", b.Number, "image", engine.Range{})
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, err := io.CopyN(io.Discard, whole, 256<<20)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; err != nil || n != 256<<20 || used > 1<<20 {
		t.Errorf("reading %d bytes took %d bytes of memory: %v", n, used, err)
	}
}

func TestExpiredBuildsAreDeletedFromTheDisk(t *testing.T) {
	h := newFixture(t)
	h.runner(nil)
	h.define(engine.Job{Name: "many"}, "mkdir dist; echo image >dist/image")
	for range 4 {
		h.becomes("many", h.start("many"), engine.Succeeded)
	}
	if all, err := os.ReadDir(filepath.Join(h.Dir, "many")); err != nil || len(all) != 4 {
		t.Fatalf("%v, %v", all, err)
	}
	for _, number := range []int{1, 2} {
		if err := h.Expire(t.Context(), "many", number); err != nil {
			t.Fatal(err)
		}
	}
	h.until("the two newest builds alone are on the disk", func() bool {
		entries, err := os.ReadDir(filepath.Join(h.Dir, "many"))
		return err == nil && len(entries) == 2 && entries[0].Name() == "3" && entries[1].Name() == "4"
	})
	if err := h.Remove(t.Context(), "MANY"); err != nil {
		t.Fatal(err)
	}
	h.until("the removed job's folder is gone", func() bool {
		_, err := os.Stat(filepath.Join(h.Dir, "many"))
		return os.IsNotExist(err)
	})
	h.clean()
}

func TestRefusedDefinitions(t *testing.T) {
	h := newFixture(t)
	for _, name := range []string{"", ".", "..", "a/b", "@runners", "a b", "ü", "a\x00", strings.Repeat("x", 201)} {
		if err := h.Create(t.Context(), engine.Job{Name: name}); err == nil {
			t.Errorf("a job named %q was made", name)
		}
	}
	if err := h.Create(t.Context(), engine.Job{Name: "x", TimeLimit: -1}); err == nil {
		t.Error("a job whose time limit is negative was made")
	}
	if err := h.Create(t.Context(), engine.Job{Name: strings.Repeat("x", 200)}); err != nil {
		t.Error(err)
	}
}

// Two runners, as processes of their own, share a queue of many jobs: each start is built once, and no job twice at
// once.
func TestTwoRunnersShareAQueue(t *testing.T) {
	h := newFixture(t)
	const jobs, rounds = 8, 4
	built := filepath.Join(t.TempDir(), "built")
	for i := range jobs {
		// mkdir fails if another build of the job runs.
		h.create(fmt.Sprintf("job-%d", i), fmt.Sprintf("mkdir %s.%d", built, i),
			fmt.Sprintf(`echo "$JOB_NAME $BUILD_NUMBER" >>%s`, built), fmt.Sprintf("rmdir %s.%d", built, i))
	}
	h.process()
	h.process()
	for range rounds {
		tickets := map[string]engine.Ticket{}
		for i := range jobs {
			name := fmt.Sprintf("job-%d", i)
			tickets[name] = h.start(name)
		}
		for name, ticket := range tickets {
			h.becomes(name, ticket, engine.Succeeded)
		}
	}
	text, err := os.ReadFile(built)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for line := range strings.Lines(string(text)) {
		seen[line]++
	}
	if len(seen) != jobs*rounds {
		t.Errorf("%d builds ran, want %d", len(seen), jobs*rounds)
	}
	for line, n := range seen {
		if n != 1 {
			t.Errorf("%q was built %d times", line, n)
		}
	}
}

func TestRunnerThatHangs(t *testing.T) {
	h := newFixture(t)
	r := h.process()
	h.create("job", "echo hello")
	h.becomes("job", h.start("job"), engine.Succeeded)
	if err := r.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	file, _ := filepath.Glob(filepath.Join(h.Dir, runnersFolder, "*"))
	if len(file) != 1 {
		t.Fatalf("the runners' files: %v", file)
	}
	long := time.Now().Add(-time.Minute)
	h.until("it counts as hanging", func() bool {
		// Until it has stopped it may give a sign of life.
		if err := os.Chtimes(file[0], long, long); err != nil {
			t.Fatal(err)
		}
		hl := h.Health(t.Context())
		return strings.Contains(hl.Message.String(), "does not respond") && hl.Slots[0].Online == 0 &&
			hl.Slots[0].Total == 2
	})
	ticket := h.start("job")
	if w := h.status("job").Waiting; w == nil || !strings.Contains(w.Reason.String(), "does not respond") {
		t.Errorf("the start waits as %+v", w)
	}
	if err := r.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	h.becomes("job", ticket, engine.Succeeded)
}

func TestNothingIsRemovedAcrossAMount(t *testing.T) {
	h := newFixture(t)
	path := filepath.Join(h.WorkDir, "a \"quoted\" \\ name", "mnt")
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() != 0 {
		t.Log("mounting needs root; only the free path is looked at")
	} else if err := syscall.Mount("tmpfs", path, "tmpfs", 0, "size=64k"); err != nil {
		t.Log("no mounting here:", err)
	} else {
		if err := removeWorkDirs(h.WorkDir); err == nil {
			t.Error("it was removed although something is mounted there")
		}
		if err := syscall.Unmount(path, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := removeWorkDirs(h.WorkDir); err != nil {
		t.Error(err)
	}
}
