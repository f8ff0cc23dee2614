package jobs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
)

// fake is an engine in memory. It takes the names of calls that are to go wrong, and how.
type fake struct {
	now     func() time.Time
	jobs    map[string]*fakeJob
	ticket  int
	faults  []string // "start:before", "start:after", "start:killed": what happens to the next such call
	calls   []string
	during  func() // happens, once, while the engine answers about jobs, or removes a build
	holds   bool   // somebody has it keep its builds
	log     string
	expired []string // builds: "NAME/NUMBER"
	secrets []string // of starts: "NAME:SECRETS"
	archive []byte   // the OCI archive that each build leaves; nil: none
}

type fakeJob struct {
	script  string
	limit   time.Duration
	enabled bool
	waiting *engine.Waiting
	builds  []engine.BuildStatus // newest first
}

// killed is what a test sees where a real process would just be gone.
type killed struct{ call string }

func newFake(now func() time.Time) *fake {
	return &fake{now: now, jobs: map[string]*fakeJob{}, log: "TOASTER-STEP 1/2 1 FROM x\nTOASTER-STEP 2/2 3 RUN y\n"}
}

// call runs f, which is what a healthy engine does, with the faults that the test ordered.
func (f *fake) call(name string, do func() error) error {
	f.calls = append(f.calls, name)
	how := ""
	if len(f.faults) > 0 && strings.HasPrefix(f.faults[0], name+":") {
		how, f.faults = strings.TrimPrefix(f.faults[0], name+":"), f.faults[1:]
	}
	away := apperr.New(apperr.Unavailable, "The engine is away.", "Try again.")
	switch how {
	case "before":
		return away
	case "killed-before":
		panic(killed{name})
	}
	err := do()
	switch how {
	case "after":
		return away
	case "killed-after":
		panic(killed{name})
	}
	return err
}

func (f *fake) job(name string) (*fakeJob, error) {
	if j := f.jobs[name]; j != nil {
		return j, nil
	}
	return nil, apperr.New(apperr.NotFound, "The engine has no such job.", "")
}

func (f *fake) Create(_ context.Context, job engine.Job) error {
	return f.call("create", func() error {
		if j := f.jobs[job.Name]; j != nil {
			j.script, j.limit = string(job.Script), job.TimeLimit
			return nil
		}
		f.jobs[job.Name] = &fakeJob{script: string(job.Script), limit: job.TimeLimit, enabled: true}
		return nil
	})
}

func (f *fake) Remove(_ context.Context, name string) error {
	return f.call("remove", func() error { delete(f.jobs, name); return nil })
}

func (f *fake) SetEnabled(_ context.Context, name string, enabled bool) error {
	return f.call("enable", func() error {
		j, err := f.job(name)
		if err == nil {
			j.enabled = enabled
		}
		return err
	})
}

func (f *fake) Start(_ context.Context, name string) (t engine.Ticket, err error) {
	err = f.call("start", func() error {
		j, err := f.job(name)
		if err != nil {
			return err
		}
		if !j.enabled {
			return apperr.New(apperr.FailedPrecondition, "The job is disabled there.", "")
		}
		if j.waiting == nil {
			f.ticket++
			j.waiting = &engine.Waiting{Ticket: engine.Ticket("t" + strconv.Itoa(f.ticket)), Since: f.now(), Position: 1,
				Reason: i18n.T("waits for a runner")}
		}
		t = j.waiting.Ticket
		return nil
	})
	return t, err
}

func (f *fake) StartWith(ctx context.Context, name string, secrets []byte) (t engine.Ticket, err error) {
	f.secrets = append(f.secrets, fmt.Sprintf("%s:%s", name, secrets))
	return f.Start(ctx, name)
}

func (f *fake) Stop(_ context.Context, name string, number int) error {
	return f.call("stop", func() error {
		j, err := f.job(name)
		if err != nil {
			return err
		}
		if number == 0 {
			j.waiting = nil
		}
		f.end(name, number, engine.Aborted)
		return nil
	})
}

func (f *fake) Status(_ context.Context, names ...string) (map[string]engine.Status, error) {
	all := map[string]engine.Status{}
	err := f.call("status", func() error {
		if during := f.during; during != nil {
			f.during = nil
			during()
		}
		for _, name := range names {
			if j := f.jobs[name]; j != nil {
				all[name] = engine.Status{Enabled: j.enabled, Waiting: j.waiting,
					Builds: j.builds[:min(len(j.builds), engine.RecentBuilds)]}
			}
		}
		return nil
	})
	return all, err
}

func (f *fake) Log(_ context.Context, _ string, _ int, offset int64) (engine.Chunk, error) {
	return engine.Chunk{Text: []byte(f.log)[min(int(offset), len(f.log)):], Next: int64(len(f.log))}, nil
}

func (f *fake) Artifacts(context.Context, string, int) ([]engine.Artifact, error) {
	list := []engine.Artifact{{Path: "image", Size: 4, SHA256: strings.Repeat("ab", 32)}}
	if f.archive != nil {
		list = append(list, engine.Artifact{Path: "a.oci.tar", Size: int64(len(f.archive))})
	}
	return list, f.call("artifacts", func() error { return nil })
}

func (f *fake) Open(_ context.Context, name string, number int, path string, _ engine.Range) (*engine.Stream, error) {
	if f.jobs[name] != nil && path == "a.oci.tar" && f.archive != nil &&
		!slices.Contains(f.expired, name+"/"+strconv.Itoa(number)) {
		return &engine.Stream{ReadCloser: io.NopCloser(bytes.NewReader(f.archive))}, nil
	}
	return nil, apperr.New(apperr.NotFound, "There is no such artifact.", "")
}

func (f *fake) Health(context.Context) engine.Health { return engine.Health{Reachable: true} }

// begin lets the waiting start of a job become a build.
func (f *fake) begin(name string) {
	j := f.jobs[name]
	if j == nil || j.waiting == nil {
		return
	}
	number := 1
	if len(j.builds) > 0 {
		number = j.builds[0].Number + 1
	}
	j.builds = append([]engine.BuildStatus{{Number: number, Ticket: j.waiting.Ticket, State: engine.Running,
		StartedAt: f.now()}}, j.builds...)
	j.waiting = nil
}

func (f *fake) end(name string, number int, state engine.State) {
	for i, b := range f.jobs[name].builds {
		if b.Number == number && !b.State.Ended() {
			f.jobs[name].builds[i].State, f.jobs[name].builds[i].EndedAt = state, f.now()
		}
	}
}

// Expire makes the engine in memory an Expirer.
func (f *fake) Expire(_ context.Context, name string, number int) error {
	return f.call("expire", func() error {
		if during := f.during; during != nil {
			f.during = nil
			during()
		}
		if f.holds {
			return apperr.New(apperr.FailedPrecondition, "Somebody has the engine keep this build.", "")
		}
		f.expired = append(f.expired, name+"/"+strconv.Itoa(number))
		return nil
	})
}
