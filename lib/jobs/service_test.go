package jobs

import (
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/buildcontext"
	"toaster.do/lib/contexts"
	"toaster.do/lib/engine"
	"toaster.do/lib/engine/reconcile"
	"toaster.do/lib/store"
	"toaster.do/lib/target"
)

const rootfs = "rootfs_amd64_bookworm"

// fixture is a service with a database, an engine in memory, and a clock that the test turns.
type fixture struct {
	*testing.T
	*Service
	db    *store.DB
	fake  *fake
	path  string // of the database
	clock time.Time
	ann   *store.User
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	path := filepath.Join(t.TempDir(), "toaster.db")
	if _, _, err := store.Migrate(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	targets, err := target.LoadTargets("../../conf/targets.toml")
	if err != nil {
		t.Fatal(err)
	}
	h := &fixture{T: t, db: db, path: path, clock: time.Unix(1_800_000_000, 0).UTC()}
	now := func() time.Time { return h.clock }
	h.fake = newFake(now)
	h.Service = New(Service{
		Store: db, Contexts: &contexts.Store{Dir: filepath.Join(filepath.Dir(path), "contexts"),
			Limits: buildcontext.Limits{Bytes: 1 << 20, Entries: 1000}},
		Reconciler: reconcile.Reconciler{Store: db, Engine: h.fake, Now: now,
			Logger: slog.New(slog.NewTextHandler(io.Discard, nil))},
		Targets: func() (*target.Targets, error) { return targets, nil }, Version: "test",
		Limits: Limits{Dockerfile: 64 << 10, Context: buildcontext.Limits{Bytes: 1 << 20, Entries: 1000}, Jobs: 3, Keep: 5, TimeLimit: time.Hour},
	})
	h.ann = h.user("ann@example.org")
	return h
}

func (h *fixture) user(email string) *store.User {
	h.Helper()
	p := &store.User{Email: email, Name: "Ann", Role: store.RoleUser, State: store.Active, Password: "-", MaxJobs: -1,
		CreatedAt: h.clock}
	if err := h.db.AddUser(h.Context(), p); err != nil {
		h.Fatal(err)
	}
	return p
}

func (h *fixture) add() *store.Job {
	h.Helper()
	job, err := h.Add(h.Context(), h.ann, Submission{Target: rootfs,
		Dockerfile: []byte("FROM debian:bookworm\nRUN true\n")})
	if err != nil {
		h.Fatal(err)
	}
	return job
}

// syncs lets minutes pass, with cron's sync in each.
func (h *fixture) syncs(n int) {
	for range n {
		h.clock = h.clock.Add(time.Minute)
		h.Reconcile(h.Context())
	}
}

func (h *fixture) last(job *store.Job) *store.Build {
	h.Helper()
	j, err := h.db.Job(h.Context(), h.ann.ID, job.ID)
	if err != nil {
		h.Fatal(err)
	}
	return j.Last
}

func TestABuildFromStartToEnd(t *testing.T) {
	h := newFixture(t)
	job := h.add()
	if !strings.HasPrefix(job.EngineName, "annATexample.org-rootfs_amd64_bookworm-") {
		t.Errorf("the engine's name is %q", job.EngineName)
	}
	b, already, err := h.Start(t.Context(), h.ann.ID, job.ID, nil)
	if err != nil || already || b.State != store.Queued || b.Number != 1 {
		t.Fatalf("%+v, already %v, %v", b, already, err)
	}
	if again, already, err := h.Start(t.Context(), h.ann.ID, job.ID, nil); err != nil || !already || again.Number != 1 {
		t.Fatalf("a second press gives %+v, already %v, %v", again, already, err)
	}
	h.fake.begin(job.EngineName)
	h.clock = h.clock.Add(4 * time.Second)
	if b, err = h.Build(t.Context(), h.ann.ID, job.ID, 1); err != nil || b.State != store.Running || b.Step != 2 ||
		b.Steps != 2 || b.StepLine != 3 {
		t.Fatalf("%+v, %v", b, err)
	}
	h.fake.end(job.EngineName, 1, engine.Succeeded)
	h.clock = h.clock.Add(4 * time.Second)
	if b, err = h.Build(t.Context(), h.ann.ID, job.ID, 1); err != nil || b.State != store.Succeeded || !b.Finalized ||
		b.EndedAt.IsZero() {
		t.Fatalf("%+v, %v", b, err)
	}
	list, err := h.Artifacts(t.Context(), h.ann.ID, job.ID, 1)
	if err != nil || len(list) != 1 || list[0].Path != "image" {
		t.Fatalf("%v, %v", list, err)
	}
}

func TestAPageOfJobsAsksTheEngineOnceAtMost(t *testing.T) {
	h := newFixture(t)
	for range 3 {
		h.Start(t.Context(), h.ann.ID, h.add().ID, nil)
	}
	for _, c := range []struct {
		later time.Duration
		calls int
	}{{time.Second, 1}, {time.Second, 0}, {5 * time.Second, 1}} {
		h.fake.calls = nil
		h.clock = h.clock.Add(c.later)
		if page, err := h.Jobs(t.Context(), h.ann.ID, store.JobQuery{Limit: 25}); err != nil || page.Total != 3 ||
			len(page.Jobs) != 3 {
			t.Fatalf("%+v, %v", page, err)
		}
		if len(h.fake.calls) != c.calls {
			t.Errorf("after %v the page made the calls %v", c.later, h.fake.calls)
		}
	}
}

func TestABuildThatTheListSawEndHasItsArtifacts(t *testing.T) {
	h := newFixture(t)
	job := h.add()
	h.Start(t.Context(), h.ann.ID, job.ID, nil)
	h.fake.begin(job.EngineName)
	h.fake.end(job.EngineName, 1, engine.Succeeded)
	h.clock = h.clock.Add(time.Minute)
	if page, err := h.Jobs(t.Context(), h.ann.ID, store.JobQuery{}); err != nil ||
		page.Jobs[0].State() != store.Succeeded {
		t.Fatalf("%+v, %v", page, err)
	}
	if b, err := h.Build(t.Context(), h.ann.ID, job.ID, 1); err != nil || !b.Finalized {
		t.Fatalf("%+v, %v", b, err)
	}
}

func TestAFailedBuildSaysWhyInItsScriptsWords(t *testing.T) {
	h := newFixture(t)
	h.fake.log = "TOASTER-STEP 2/3 7 RUN false\ntoaster: failed: line 7 of the Dockerfile failed (exit code 1): RUN " +
		"\x1b[31mfalse\n"
	job := h.add()
	h.Start(t.Context(), h.ann.ID, job.ID, nil)
	h.fake.begin(job.EngineName)
	h.fake.end(job.EngineName, 1, engine.Failed)
	h.syncs(1)
	if b := h.last(job); b.Why().String() != "Line 7 of the Dockerfile failed (exit code 1): RUN [31mfalse" ||
		b.StepLine != 7 {
		t.Errorf("%q, %+v", b.Why(), b)
	}
}

func TestAnotherPersonsJobIsNotThere(t *testing.T) {
	h := newFixture(t)
	job := h.add()
	h.Start(t.Context(), h.ann.ID, job.ID, nil)
	bob := h.user("bob@example.org").ID
	calls := map[string]func() error{
		"Job":        func() error { _, err := h.Job(t.Context(), bob, job.ID); return err },
		"Source":     func() error { _, err := h.Source(t.Context(), bob, job.ID, 0); return err },
		"Blend":      func() error { _, err := h.Blend(t.Context(), bob, job.ID, 0); return err },
		"Script":     func() error { _, err := h.Script(t.Context(), bob, job.ID, 0); return err },
		"Start":      func() error { _, _, err := h.Start(t.Context(), bob, job.ID, nil); return err },
		"Stop":       func() error { return h.Stop(t.Context(), bob, job.ID) },
		"SetEnabled": func() error { return h.SetEnabled(t.Context(), bob, job.ID, false) },
		"Remove":     func() error { return h.Remove(t.Context(), bob, job.ID) },
		"Update":     func() error { _, err := h.Update(t.Context(), bob, job.ID, 1, Submission{}); return err },
		"Build":      func() error { _, err := h.Build(t.Context(), bob, job.ID, 1); return err },
		"Log":        func() error { _, err := h.Service.Log(t.Context(), bob, job.ID, 1, 0); return err },
		"Open":       func() error { _, err := h.Open(t.Context(), bob, job.ID, 1, "image", engine.Range{}); return err },
	}
	for name, call := range calls {
		if err := call(); apperr.KindOf(err) != apperr.NotFound {
			t.Errorf("%s of another person's job: %v", name, err)
		}
	}
	if builds, err := h.Builds(t.Context(), bob, job.ID); err != nil || len(builds) != 0 {
		t.Errorf("another person sees the builds %v, %v", builds, err)
	}
	if list, err := h.Artifacts(t.Context(), bob, job.ID, 1); err != nil || len(list) != 0 {
		t.Errorf("another person sees the artifacts %v, %v", list, err)
	}
	if b := h.last(job); b == nil || b.State != store.Queued {
		t.Errorf("the owner's build is %+v", b)
	}
}

// A process may be killed, or the engine go away, around every call that is made for a start. One wish to
// build leads to one build, whatever happens.
func TestOneWishOneBuild(t *testing.T) {
	for _, call := range []string{"create", "start", "status", "artifacts"} {
		for _, how := range []string{"before", "after", "killed-before", "killed-after"} {
			for _, runsMeanwhile := range []bool{false, true} {
				name := call + " " + how
				if runsMeanwhile {
					name += ", and the build begins at once"
				}
				t.Run(name, func(t *testing.T) {
					h := newFixture(t)
					h.fake.faults = []string{call + ":" + how}
					var job *store.Job
					survive(func() { job = h.add() })
					if job == nil {
						page, err := h.db.Jobs(t.Context(), h.ann.ID, store.JobQuery{Limit: 1})
						if err != nil || page.Total != 1 {
							t.Fatalf("the job was not stored: %+v %v", page, err)
						}
						job = page.Jobs[0]
					}
					survive(func() { h.Start(t.Context(), h.ann.ID, job.ID, nil) })
					for range 6 {
						if runsMeanwhile {
							h.fake.begin(job.EngineName)
						}
						survive(func() { h.syncs(1) })
					}
					h.fake.begin(job.EngineName)
					survive(func() { h.syncs(2) })
					h.fake.end(job.EngineName, 1, engine.Succeeded)
					for range 3 {
						survive(func() { h.syncs(1) })
						h.fake.begin(job.EngineName)
					}
					if n := len(h.fake.jobs[job.EngineName].builds); n != 1 {
						t.Errorf("the engine made %d builds", n)
					}
					if b := h.last(job); b.State != store.Succeeded || !b.Finalized || b.Number != 1 {
						t.Errorf("the build is %+v", b)
					}
					h.fake.calls = nil
					if n, err := h.Reconcile(t.Context()); n != 0 || err != nil || len(h.fake.calls) != 0 {
						t.Errorf("when all is settled, sync has %d jobs to do (%v) and calls %v", n, err, h.fake.calls)
					}
				})
			}
		}
	}
}

// Without cron, too: whoever next starts or looks carries on, and looks before asking twice.
func TestAPageCarriesOnAStart(t *testing.T) {
	h := newFixture(t)
	job := h.add()
	h.fake.faults = []string{"start:killed-after"}
	survive(func() { h.Start(t.Context(), h.ann.ID, job.ID, nil) })
	h.fake.begin(job.EngineName)
	h.clock = h.clock.Add(time.Minute)
	// any request that tells the engine something
	if err := h.SetEnabled(t.Context(), h.ann.ID, job.ID, true); err != nil {
		t.Fatal(err)
	}
	h.fake.begin(job.EngineName)
	if n := len(h.fake.jobs[job.EngineName].builds); n != 1 {
		t.Errorf("the engine made %d builds", n)
	}
	if b := h.last(job); b.State != store.Running {
		t.Errorf("the build is %+v", b)
	}
}

func TestStopAndRemoveSurviveFaults(t *testing.T) {
	for _, call := range []string{"stop", "remove", "status"} {
		for _, how := range []string{"before", "after", "killed-before", "killed-after"} {
			for _, running := range []bool{false, true} {
				t.Run(call+" "+how, func(t *testing.T) {
					h := newFixture(t)
					job := h.add()
					h.Start(t.Context(), h.ann.ID, job.ID, nil)
					if running {
						h.fake.begin(job.EngineName)
						h.syncs(1)
					}
					h.fake.faults = []string{call + ":" + how}
					survive(func() { h.Stop(t.Context(), h.ann.ID, job.ID) })
					for range 3 {
						survive(func() { h.syncs(1) })
					}
					if b := h.last(job); b.State != store.Aborted {
						t.Errorf("after stop the build is %+v", b)
					}
					h.fake.begin(job.EngineName)
					if n := len(h.fake.jobs[job.EngineName].builds); running != (n == 1) {
						t.Errorf("the engine has %d builds", n)
					}
					survive(func() { h.Remove(t.Context(), h.ann.ID, job.ID) })
					for range 3 {
						survive(func() { h.syncs(1) })
					}
					if len(h.fake.jobs) != 0 {
						t.Errorf("the engine still has %v", h.fake.jobs)
					}
					if left, err := h.db.UnfinishedJobs(t.Context()); err != nil || len(left) != 0 {
						t.Errorf("the database still has %v, %v", left, err)
					}
				})
			}
		}
	}
}

func survive(f func()) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(killed); !ok {
				panic(r)
			}
		}
	}()
	f()
}

func TestStopAndStartLookWhereTheBuildIsNow(t *testing.T) {
	h := newFixture(t)
	job := h.add()
	h.Start(t.Context(), h.ann.ID, job.ID, nil)
	h.fake.begin(job.EngineName) // nobody has looked since
	if err := h.Stop(t.Context(), h.ann.ID, job.ID); err != nil {
		t.Fatal(err)
	}
	if b := h.last(job); b.State != store.Aborted {
		t.Errorf("a build that began unseen is %+v after stop", b)
	}
	h.Start(t.Context(), h.ann.ID, job.ID, nil)
	h.fake.begin(job.EngineName)
	h.fake.end(job.EngineName, 2, engine.Succeeded)
	h.clock = h.clock.Add(time.Minute)
	if b, already, err := h.Start(t.Context(), h.ann.ID, job.ID, nil); err != nil || already || b.Number != 3 {
		t.Errorf("after a build that ended unseen, start gives %+v, already %v, %v", b, already, err)
	}
}

func TestWhatTheEngineForgetsIsLostOrAskedForAgain(t *testing.T) {
	h := newFixture(t)
	job := h.add()
	h.Start(t.Context(), h.ann.ID, job.ID, nil)
	h.fake.jobs[job.EngineName].waiting = nil // the queue was lost
	h.syncs(3)
	h.fake.begin(job.EngineName)
	h.syncs(1)
	if b := h.last(job); b.State != store.Running || b.Number != 1 {
		t.Fatalf("a start that the engine forgot is %+v", b)
	}
	delete(h.fake.jobs, job.EngineName) // somebody removed the job there
	h.syncs(1)
	if b := h.last(job); b.State != store.Lost || b.Reason.IsZero() {
		t.Fatalf("a build that the engine forgot is %+v", b)
	}
	h.syncs(1)
	if h.fake.jobs[job.EngineName] == nil {
		t.Fatal("the job was not defined again")
	}
}

func TestADisabledJobStartsNothing(t *testing.T) {
	h := newFixture(t)
	job := h.add()
	h.Start(t.Context(), h.ann.ID, job.ID, nil)
	if err := h.SetEnabled(t.Context(), h.ann.ID, job.ID, false); err != nil {
		t.Fatal(err)
	}
	h.syncs(1)
	if b := h.last(job); b.State != store.Aborted {
		t.Errorf("the waiting build of a job that was switched off is %+v", b)
	}
	if _, _, err := h.Start(t.Context(), h.ann.ID, job.ID, nil); apperr.KindOf(err) != apperr.FailedPrecondition {
		t.Errorf("starting a job that is off: %v", err)
	}
	if err := h.SetEnabled(t.Context(), h.ann.ID, job.ID, true); err != nil {
		t.Fatal(err)
	}
	if b, _, err := h.Start(t.Context(), h.ann.ID, job.ID, nil); err != nil || b.Number != 2 {
		t.Errorf("%+v, %v", b, err)
	}
}

var _ engine.Engine = (*fake)(nil)
