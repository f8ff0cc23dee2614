package target_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/engine"
	"toaster.do/lib/engine/local"
	"toaster.do/lib/store"
	"toaster.do/lib/target"
)

// underway is in the log when the instruction that never ends has begun. A limit that was over before is tried again
// with twice the time.
const underway = " RUN sleep 987654\n"

// The embedded engine ends an image's build that runs too long, and nothing of it is left: no mount, no loop device, no
// process, no file.
func TestTimeLimitOfTheLocalEngine(t *testing.T) {
	dir, script := target.SlowImage(t)
	work := filepath.Join(dir, "work")
	path := filepath.Join(t.TempDir(), "toaster.db")
	if _, _, err := store.Migrate(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	builds := t.TempDir()
	e := local.New(db, builds)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	r := local.Runner{DB: db, Executor: local.Executor{
		Make: func(engine.Source) (engine.Made, error) { return engine.Made{Script: script}, nil },
		Dir:  builds, WorkDir: work, Concurrency: 1, TimeLimit: time.Second, Log: slog.New(slog.DiscardHandler),
	}}
	go func() { ended <- r.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	for limit := 8 * time.Second; ; limit *= 2 {
		log, b := built(t, e, engine.Job{Name: "slow", Script: script, TimeLimit: limit})
		if b.State != engine.Failed || !strings.Contains(b.Reason.String(), "Timed out after "+limit.String()) ||
			!strings.Contains(log, "toaster: failed: the build was stopped.\n") {
			t.Errorf("%s: %q; log:\n%s", b.State, b.Reason, log)
		}
		if list, err := e.Artifacts(t.Context(), "slow", b.Number); err != nil || len(list) > 0 {
			t.Errorf("half an image is offered: %v, %v", list, err)
		}
		target.Nothing(t, dir, "build.sh", "work")
		for range 600 {
			if left, _ := filepath.Glob(work + "/*/*"); len(left) == 0 {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		runners, _ := filepath.Glob(work + "/*")
		for _, runner := range runners {
			target.Nothing(t, runner)
		}
		if t.Failed() || strings.Contains(log, underway) {
			return
		}
	}
}

// built runs a build to its end, and returns its log.
func built(t *testing.T, e *local.Engine, job engine.Job) (string, engine.BuildStatus) {
	t.Helper()
	ctx := t.Context()
	err := e.Create(ctx, job)
	ticket, err2 := e.Start(ctx, job.Name)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	for {
		all, err := e.Status(ctx, job.Name)
		if err != nil {
			t.Fatal(err)
		}
		if builds := all[job.Name].Builds; len(builds) > 0 && builds[0].Ticket == ticket && builds[0].State.Ended() {
			c, err := e.Log(ctx, job.Name, builds[0].Number, 0)
			if err != nil {
				t.Fatal(err)
			}
			return string(c.Text), builds[0]
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// On Jenkins's agents timeout(1) does it.
func TestTimeLimitOfAnAgent(t *testing.T) {
	dir, _ := target.SlowImage(t)
	for limit := 8; ; limit *= 2 {
		cmd := exec.CommandContext(t.Context(), "timeout", "-k", "30", fmt.Sprint(limit), "sh", "-c",
			"sh build.sh; echo ended >&2")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 124 {
			t.Errorf("%v; log:\n%s", err, out)
		}
		// Its shell, which waits for it, gets the signal too: the script ends by itself all the same.
		for range 600 {
			if exec.CommandContext(t.Context(), "sh", "-c", "! ls -d "+dir+"/*.work").Run() == nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		target.Nothing(t, dir, "build.sh")
		if !strings.Contains(string(out), "toaster: failed: the build was stopped.\n") {
			t.Errorf("the log doesn't say it:\n%s", out)
		}
		if t.Failed() || strings.Contains(string(out), underway) {
			return
		}
	}
}
