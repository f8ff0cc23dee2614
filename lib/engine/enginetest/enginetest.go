// Package enginetest is the conformance suite that holds for every engine.Engine. Its tests read like the manual of
// that interface.
package enginetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
)

// Fixture is an engine that really runs the scripts it is given, at least two at once.
type Fixture struct {
	Engine engine.Engine
	Wait   time.Duration // how long to wait for what must come; 0: two minutes
	Poll   time.Duration // how often to look; 0: 50 ms
	// OutputLimit is how much a build may print, in bytes, where the engine takes no job's own; 0: 1 MiB.
	OutputLimit int64
}

// Run runs the suite. It uses job names of its own and removes its jobs, so that the engine may be one that others use
// too.
func Run(t *testing.T, f Fixture) {
	if f.Wait == 0 {
		f.Wait = 2 * time.Minute
	}
	if f.Poll == 0 {
		f.Poll = 50 * time.Millisecond
	}
	if f.OutputLimit == 0 {
		f.OutputLimit = 1 << 20
	}
	for _, c := range []struct {
		name string
		test func(*job)
	}{
		{"a job that was created can be created again", createTwice},
		{"a job can get another script, also while it runs", redefine},
		{"names differ by more than letter case", letterCase},
		{"a job that is not there", unknownJob},
		{"a start leads from a ticket to a number to an end", startToEnd},
		{"numbers and tickets are not given twice", numbers},
		{"starts of a job that wait are one", coalesce},
		{"a job runs one build at a time", oneAtATime},
		{"a start that waits says why", waits},
		{"the script sees its number and its job", environment},
		{"the status of many jobs, of which some are not there", statusOfMany},
		{"the newest builds come first", newestFirst},
		{"a build that is kept is not removed", keep},
		{"a single build is removed with what it left", expire},
		{"how long a build takes is learnt from those before", expected},
		{"a log is read in parts", logInParts},
		{"a log is read while it grows", growingLog},
		{"a log past its end is empty", logPastTheEnd},
		{"a long log's end, and all of it", longLog},
		{"the log of a build that never was", unknownLog},
		{"artifacts are listed with their size", artifacts},
		{"artifacts may have odd names", oddNames},
		{"a part of an artifact", ranges},
		{"an artifact that is not there", unknownArtifact},
		{"links do not lead out of dist", links},
		{"a build without dist has no artifacts", noArtifacts},
		{"a running build has no artifacts", artifactsWhileRunning},
		{"a script that fails", failing},
		{"a script that takes too long", timeLimit},
		{"a script that prints too much", outputLimit},
		{"stop a running build", stopRunning},
		{"stop a start that waits", stopWaiting},
		{"stop what has ended, and what never was", stopOthers},
		{"a disabled job is not started", disable},
		{"disabling lets a running build go on", disableRunning},
		{"disabling forgets a start that waits", disableWaiting},
		{"remove a job", remove},
		{"remove a job that runs, and one whose start waits", removeRunning},
		{"a job that was removed can be made anew", removeAndCreate},
		{"health", health},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(newJob(t, f)) })
	}
}

// job is a job of one test.
type job struct {
	*testing.T
	Fixture
	name string
}

func newJob(t *testing.T, f Fixture) *job {
	name := "enginetest-" + rand.Text()
	t.Cleanup(func() {
		if err := f.Engine.Remove(context.Background(), name); err != nil {
			t.Errorf("Remove at the end: %v", err)
		}
	})
	return &job{T: t, Fixture: f, name: name}
}

// another is one more job of the same test.
func (j *job) another() *job { return newJob(j.T, j.Fixture) }

// create defines the job by the lines of its script.
func (j *job) create(script ...string) *job {
	j.Helper()
	j.define(engine.Job{}, script...)
	return j
}

func (j *job) define(e engine.Job, script ...string) {
	j.Helper()
	e.Name, e.Description, e.Script = j.name, "a test of the engine", []byte("set -e\n"+strings.Join(script, "\n")+"\n")
	if e.TimeLimit == 0 {
		e.TimeLimit = 10 * time.Minute
	}
	j.must("Create", j.Engine.Create(j.Context(), e))
}

func (j *job) must(what string, err error) {
	j.Helper()
	if err != nil {
		j.Fatalf("%s: %v", what, err)
	}
}

// wants checks the kind of an error. It has to be a fault, so that a person gets to read something.
func (j *job) wants(kind apperr.Kind, what string, err error) {
	j.Helper()
	var f *apperr.Error
	if !errors.As(err, &f) || f.Kind != kind || f.Message.IsZero() {
		j.Errorf("%s: %v (%s), want a fault %q", what, err, apperr.KindOf(err), kind)
	}
}

func (j *job) start() engine.Ticket {
	j.Helper()
	ticket, err := j.Engine.Start(j.Context(), j.name)
	j.must("Start", err)
	if ticket == "" {
		j.Fatal("Start gave an empty ticket")
	}
	return ticket
}

func (j *job) status() engine.Status {
	j.Helper()
	all, err := j.Engine.Status(j.Context(), j.name)
	j.must("Status", err)
	s, ok := all[j.name]
	if !ok || len(all) != 1 {
		j.Fatalf("Status of %s gave %v", j.name, all)
	}
	return s
}

// until waits until done is true.
func (j *job) until(what string, done func() bool) {
	j.Helper()
	for end := time.Now().Add(j.Wait); !done(); time.Sleep(j.Poll) {
		if time.Now().After(end) {
			j.Fatalf("%s: not within %s; the job's status is %+v", what, j.Wait, j.status())
		}
	}
}

// build waits until a ticket has become a build that is as wanted.
func (j *job) build(ticket engine.Ticket, what string,
	wanted func(engine.BuildStatus) bool) (found engine.BuildStatus) {
	j.Helper()
	j.until(fmt.Sprintf("ticket %s %s", ticket, what), func() bool {
		for _, b := range j.status().Builds {
			if b.Ticket == ticket && wanted(b) {
				found = b
				return true
			}
		}
		return false
	})
	return found
}

func (j *job) running(ticket engine.Ticket) engine.BuildStatus {
	j.Helper()
	return j.build(ticket, "runs", func(b engine.BuildStatus) bool { return b.State == engine.Running })
}

// ends waits for a build's end and checks its state.
func (j *job) ends(ticket engine.Ticket, state engine.State) engine.BuildStatus {
	j.Helper()
	b := j.build(ticket, "ends", func(b engine.BuildStatus) bool { return b.State.Ended() })
	if b.State != state {
		j.Fatalf("build %d ended as %s (%s), want %s; its log:\n%s", b.Number, b.State, b.Reason, state, j.log(b.Number))
	}
	if b.Number < 1 || b.StartedAt.IsZero() || b.EndedAt.Before(b.StartedAt) {
		j.Errorf("build %d ran from %v to %v", b.Number, b.StartedAt, b.EndedAt)
	}
	return b
}

// builds starts the job and waits until the build has succeeded.
func (j *job) builds() engine.BuildStatus {
	j.Helper()
	return j.ends(j.start(), engine.Succeeded)
}

// log reads a log until no more comes, and checks each part of it on the way.
func (j *job) log(number int) string {
	j.Helper()
	var all strings.Builder
	for offset := int64(0); ; {
		c, err := j.Engine.Log(j.Context(), j.name, number, offset)
		j.must("Log", err)
		if len(c.Text) > engine.MaxChunk {
			j.Fatalf("Log gave %d bytes at once, more than MaxChunk", len(c.Text))
		}
		if c.Next < offset {
			j.Fatalf("Log went back from %d to %d", offset, c.Next)
		}
		all.Write(c.Text)
		offset = c.Next
		if !c.More {
			return all.String()
		}
		if len(c.Text) == 0 {
			time.Sleep(j.Poll)
		}
	}
}

// says waits until a running build's log contains text.
func (j *job) says(number int, text string) {
	j.Helper()
	var all strings.Builder
	var offset int64
	j.until(fmt.Sprintf("%q in the log", text), func() bool {
		c, err := j.Engine.Log(j.Context(), j.name, number, offset)
		j.must("Log", err)
		all.Write(c.Text)
		offset = c.Next
		return strings.Contains(all.String(), text)
	})
}

// read opens a part of an artifact and reads it.
func (j *job) read(number int, path string, r engine.Range) (string, *engine.Stream) {
	j.Helper()
	s, err := j.Engine.Open(j.Context(), j.name, number, path, r)
	j.must("Open "+path, err)
	defer s.Close()
	text, err := io.ReadAll(s)
	j.must("reading "+path, err)
	return string(text), s
}
