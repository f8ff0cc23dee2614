package local

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"toaster.do/lib/engine"
	"toaster.do/lib/engine/enginetest"
	"toaster.do/lib/store"
)

// asRunner names the variable that makes the test binary a runner, as “toasterctl runner” is one.
const asRunner = "LOCAL_TEST_RUNNER"

func TestMain(m *testing.M) {
	for name, main := range map[string]func(string) error{asRunner: runnerMain, asWebUser: webUserMain} {
		settings := os.Getenv(name)
		if settings == "" {
			continue
		}
		if err := main(settings); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func runnerMain(settings string) error {
	var h fixture
	if err := json.Unmarshal([]byte(settings), &h); err != nil {
		return err
	}
	if os.Getenv(asDispatcher) != "" {
		conn, err := DispatcherConn()
		if err != nil {
			return err
		}
		db, err := store.Open(context.Background(), h.Database)
		if err != nil {
			return err
		}
		defer db.Close()
		d := Dispatcher{DB: db, Dir: h.Dir, Make: theDockerfile, Open: inTheClear}
		return d.Run(conn)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	user, err := ForeignOwner(filepath.Dir(h.Database))
	if err != nil {
		return err
	}
	if user != nil {
		k := Executor{Dir: h.Dir, WorkDir: h.WorkDir, Make: theDockerfile, Concurrency: 2,
			OutputLimit: h.OutputLimit, IDs: h.IDs}
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), asDispatcher+"=1")
		cmd.Stderr = os.Stderr
		return k.RunSeparate(ctx, cmd, user)
	}
	db, err := store.Open(ctx, h.Database)
	if err != nil {
		return err
	}
	defer db.Close()
	r := Runner{DB: db, Open: inTheClear, Executor: Executor{Dir: h.Dir, WorkDir: h.WorkDir, Make: theDockerfile,
		Concurrency: 2,
		OutputLimit: h.OutputLimit, Log: slog.Default()}}
	return r.Run(ctx)
}

// asDispatcher names the variable that makes a runner the half that knows the database.
const asDispatcher = "LOCAL_TEST_DISPATCHER"

// theDockerfile makes scripts as these tests want them: what the source calls a Dockerfile is the script.
func theDockerfile(src engine.Source) (engine.Made, error) {
	return engine.Made{Script: src.Dockerfile}, nil
}

// scripted is an engine whose jobs are defined by their scripts.
type scripted struct{ *Engine }

func (s scripted) Create(ctx context.Context, j engine.Job) error {
	j.Source.Dockerfile = j.Script
	return s.Engine.Create(ctx, j)
}

// fixture is an instance of the local engine.
type fixture struct {
	Database, Dir, WorkDir string
	OutputLimit            int64
	IDs                    []int
	db                     *store.DB
	*Engine                `json:"-"`
	*testing.T             `json:"-"`
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return fixtureIn(t, t.TempDir())
}

func fixtureIn(t *testing.T, dir string) *fixture {
	t.Helper()
	h := &fixture{Database: filepath.Join(dir, "toaster.db"), Dir: filepath.Join(dir, "builds"),
		WorkDir: filepath.Join(dir, "work"), T: t}
	if _, _, err := store.Migrate(t.Context(), h.Database); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), h.Database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	h.db, h.Engine = db, New(db, h.Dir)
	return h
}

// runner starts a runner in this process; the function that is returned ends it.
func (h *fixture) runner(change func(*Runner)) (end func()) {
	h.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := Runner{DB: h.db, Executor: Executor{Make: theDockerfile, Dir: h.Dir, WorkDir: h.WorkDir, Concurrency: 2,
		OutputLimit: h.OutputLimit, Log: slog.New(slog.NewTextHandler(h.Output(), nil))}}
	if change != nil {
		change(&r)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	end = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			h.Error(err)
		}
	})
	h.Cleanup(end)
	return end
}

// process starts a runner in a process of its own.
func (h *fixture) process() *exec.Cmd {
	h.Helper()
	settings, err := json.Marshal(h)
	if err != nil {
		h.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asRunner+"="+string(settings))
	cmd.Stderr = h.Output()
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd
}

func (h *fixture) create(name string, script ...string) {
	h.Helper()
	h.define(engine.Job{Name: name, TimeLimit: time.Hour}, script...)
}

func (h *fixture) define(j engine.Job, script ...string) {
	h.Helper()
	j.Script = []byte("set -e\n" + strings.Join(script, "\n") + "\n")
	if err := (scripted{h.Engine}).Create(h.Context(), j); err != nil {
		h.Fatal(err)
	}
}

func (h *fixture) start(name string) engine.Ticket {
	h.Helper()
	ticket, err := h.Start(h.Context(), name)
	if err != nil {
		h.Fatal(err)
	}
	return ticket
}

func (h *fixture) until(what string, done func() bool) {
	h.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			h.Fatal("this did not come: " + what)
		}
	}
}

func (h *fixture) status(name string) engine.Status {
	h.Helper()
	all, err := h.Status(h.Context(), name)
	if err != nil {
		h.Fatal(err)
	}
	return all[name]
}

// becomes waits until the newest build of a job has one of the states.
func (h *fixture) becomes(name string, ticket engine.Ticket, states ...engine.State) (b engine.BuildStatus) {
	h.Helper()
	h.until(fmt.Sprintf("%s becomes %v", name, states), func() bool {
		for _, b = range h.status(name).Builds {
			for _, state := range states {
				if b.Ticket == ticket && b.State == state {
					return true
				}
			}
			if b.Ticket == ticket && b.State.Ended() {
				h.Fatalf("build %d of %s ended as %s (%s), want %v; its log:\n%s", b.Number, name, b.State, b.Reason, states,
					h.log(name, b.Number))
			}
		}
		return false
	})
	return b
}

func (h *fixture) log(name string, number int) string {
	h.Helper()
	c, err := h.Log(h.Context(), name, number, 0)
	if err != nil {
		h.Fatal(err)
	}
	return string(c.Text)
}

// says waits until the log has text.
func (h *fixture) says(name string, number int, text string) {
	h.Helper()
	h.until(fmt.Sprintf("%q in the log", text), func() bool { return strings.Contains(h.log(name, number), text) })
}

// clean checks that no process, working directory or stage of a build is left.
func (h *fixture) clean() {
	h.Helper()
	h.until("all processes of builds have ended", func() bool { return !someoneMarked(h.WorkDir) })
	for _, path := range []string{h.WorkDir, filepath.Join(h.Dir, stageFolder), filepath.Join(h.Dir, trashFolder)} {
		h.until(path+" is cleared", func() bool {
			entries, _ := os.ReadDir(path)
			for _, runner := range entries {
				if inside, _ := os.ReadDir(filepath.Join(path, runner.Name())); len(inside) > 0 {
					return false
				}
			}
			return true
		})
	}
}

// someoneMarked tells whether a process works below dir, by its environment.
func someoneMarked(dir string) bool {
	all, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range all {
		env, _ := os.ReadFile(path)
		if strings.Contains("\x00"+string(env), "\x00WORKSPACE="+dir) {
			return true
		}
	}
	return false
}

func TestConformance(t *testing.T) {
	h := newFixture(t)
	h.OutputLimit = 4 << 20
	h.runner(nil)
	h.until("a runner is there", func() bool { return h.Health(t.Context()).Message.IsZero() })
	enginetest.Run(t, enginetest.Fixture{Engine: scripted{h.Engine}, Wait: 30 * time.Second, OutputLimit: 4 << 20})
	h.clean()
}
