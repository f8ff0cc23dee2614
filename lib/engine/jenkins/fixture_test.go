package jenkins_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"toaster.do/lib/buildcontext"
	"toaster.do/lib/engine"
	"toaster.do/lib/engine/jenkins"
	"toaster.do/lib/engine/jenkins/jenkinstest"
	"toaster.do/lib/engine/reconcile"
	"toaster.do/lib/jobs"
	"toaster.do/lib/store"
	"toaster.do/lib/target"
)

// fixture is a service with a real database, on an engine whose controller can be made to fail. Its clock can be
// turned.
type fixture struct {
	*testing.T
	*jobs.Service
	controller *jenkinstest.Server
	database   string
	db         *store.DB
	engine     *scripted
	ann        *store.User
	ahead      atomic.Int64
}

// scripted is the engine with a short script instead of the one that makes an image. Each of its builds leaves a line
// in ran.
type scripted struct {
	*jenkins.Engine
	script, label, ran string
}

func (e *scripted) Create(ctx context.Context, job engine.Job) error {
	job.Script = []byte("echo $BUILD_NUMBER >>" + e.ran + "\nmkdir dist; echo image >dist/image\n" + e.script + "\n")
	job.Label = e.label
	return e.Engine.Create(ctx, job)
}

// quick are a controller's settings that don't keep a test waiting.
func quick() jenkinstest.Options {
	return jenkinstest.Options{
		Executors: 3, QuietPeriod: time.Millisecond, LeaveWindow: 6 * time.Millisecond, FinishWindow: 4 * time.Millisecond,
		Phase: 5 * time.Millisecond,
	}
}

func newFixture(t *testing.T, opt jenkinstest.Options) *fixture {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "toaster.db")
	if _, _, err := store.Migrate(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	s := jenkinstest.Start(t, opt)
	h := &fixture{T: t, controller: s, database: path}
	h.engine = &scripted{Engine: engineOn(t, s, patient), ran: filepath.Join(dir, "ran")}
	h.db = openDB(t, path)
	h.Service = service(t, h.db, h.engine)
	h.Now = func() time.Time { return time.Now().Add(time.Duration(h.ahead.Load())).UTC() }
	h.ann = &store.User{Email: "ann@example.org", Name: "Ann", Role: store.RoleUser, State: store.Active, Password: "-",
		MaxJobs: -1, CreatedAt: h.Now()}
	if err := h.db.AddUser(t.Context(), h.ann); err != nil {
		t.Fatal(err)
	}
	return h
}

func openDB(t *testing.T, path string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// service is what a program makes of its configuration.
func service(t *testing.T, db *store.DB, e engine.Engine) *jobs.Service {
	t.Helper()
	targets, err := target.LoadTargets("../../../conf/targets.toml")
	if err != nil {
		t.Fatal(err)
	}
	return jobs.New(jobs.Service{
		Store: db, Reconciler: reconcile.Reconciler{Store: db, Engine: e, Now: time.Now, Logger: quietly},
		Targets: func() (*target.Targets, error) { return targets, nil }, Version: "test",
		Limits: jobs.Limits{Dockerfile: 64 << 10, Context: buildcontext.Limits{Bytes: 1 << 20, Entries: 1000}, Jobs: 9, Keep: 5, TimeLimit: time.Hour},
	})
}

var quietly = slog.New(slog.NewTextHandler(io.Discard, nil))

// patient gives a call as much time as these tests have patience with a controller that says nothing.
func patient(o *jenkins.Options) { o.Connect, o.Call, o.Logger = time.Second, 5*time.Second, quietly }

// hurried gives a controller that says nothing, and only that, next to no time.
func hurried(fault string) func(*jenkins.Options) {
	return func(o *jenkins.Options) {
		if fault == "says nothing" {
			o.Call = 60 * time.Millisecond
		}
	}
}

// falls lets the controller fail in a way.
func (h *fixture) falls(name string, fault func(*jenkinstest.Server)) {
	h.engine.Engine = engineOn(h.T, h.controller, patient, hurried(name))
	fault(h.controller)
}

// add makes a job; what its builds do is the engine's script.
func (h *fixture) add() *store.Job {
	h.Helper()
	job, err := h.Add(h.Context(), h.ann, jobs.Submission{Target: "rootfs_amd64_bookworm",
		Dockerfile: []byte("FROM debian:bookworm\nRUN true\n")})
	if err != nil {
		h.Fatal(err)
	}
	return job
}

// starts presses the button once.
func (h *fixture) starts(job *store.Job) {
	h.Helper()
	if _, already, err := h.Start(h.Context(), h.ann.ID, job.ID, nil); err != nil || already {
		h.Fatalf("Start: already %v, %v", already, err)
	}
}

// syncs lets a minute pass, with cron's sync in it.
func (h *fixture) syncs() error {
	h.ahead.Add(int64(time.Minute))
	_, err := h.Reconcile(h.Context())
	return err
}

// at returns a job's builds as the database has them, oldest first, in words: "1 succeeded, 2 queued".
func (h *fixture) at(job *store.Job) string {
	h.Helper()
	builds, err := h.Builds(h.Context(), h.ann.ID, job.ID)
	if err != nil {
		h.Fatal(err)
	}
	var words []string
	for _, b := range builds {
		words = append([]string{string(b.State)}, words...)
	}
	return strings.Join(words, ", ")
}

// becomes lets cron sync until the job's builds are as wanted, oldest first.
func (h *fixture) becomes(job *store.Job, wanted string) {
	h.Helper()
	var err error
	for end := time.Now().Add(30 * time.Second); h.at(job) != wanted; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			h.Fatalf("the builds are %q, want %q; sync says %v; ran: %v", h.at(job), wanted, err, h.ran())
		}
		err = h.syncs()
	}
}

// ended lets cron sync until the job's builds have ended, and returns their states.
func (h *fixture) ended(job *store.Job) string {
	h.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := h.syncs()
		states := h.at(job)
		if !strings.Contains(states, "queued") && !strings.Contains(states, "running") {
			return states
		}
		if time.Now().After(end) {
			h.Fatalf("the builds are %q; sync says %v", states, err)
		}
	}
}

// settles checks that after a few more syncs nothing has changed: the builds are as wanted, and so many scripts have
// run.
func (h *fixture) settles(job *store.Job, wanted string, ran int) {
	h.Helper()
	h.becomes(job, wanted)
	for range 2 {
		if err := h.syncs(); err != nil {
			h.Errorf("sync: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(h.Context(), 20*time.Second)
	defer cancel()
	if err := h.controller.Wait(ctx); err != nil {
		h.Errorf("the controller has still something to do: %v", err)
	}
	if err := h.syncs(); err != nil {
		h.Errorf("sync: %v", err)
	}
	if h.at(job) != wanted {
		h.Errorf("the builds have become %q, they were %q", h.at(job), wanted)
	}
	if got := h.ran(); len(got) != ran {
		h.Errorf("the scripts of builds %v ran, want %d", got, ran)
	}
}

// quiets lets cron sync until there is nothing left to do.
func (h *fixture) quiets() {
	h.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		h.ahead.Add(int64(time.Minute))
		jobs, err := h.Reconcile(h.Context())
		if err == nil && jobs == 0 {
			return
		}
		if time.Now().After(end) {
			h.Fatalf("sync has still %d jobs to do: %v", jobs, err)
		}
	}
}

// ran are the numbers of the builds whose scripts have begun.
func (h *fixture) ran() []string {
	text, err := os.ReadFile(h.engine.ran)
	if err != nil && !os.IsNotExist(err) {
		h.Fatal(err)
	}
	return strings.Fields(string(text))
}

// begins waits until so many scripts have begun.
func (h *fixture) begins(n int) {
	h.Helper()
	for end := time.Now().Add(20 * time.Second); len(h.ran()) < n; time.Sleep(3 * time.Millisecond) {
		if time.Now().After(end) {
			h.Fatalf("only the scripts of %v have begun", h.ran())
		}
	}
}

// well ends whatever is wrong with the controller.
func (h *fixture) well() {
	h.Helper()
	if err := h.controller.Well(); err != nil {
		h.Fatal(err)
	}
	h.engine.Engine = engineOn(h.T, h.controller, patient)
}
