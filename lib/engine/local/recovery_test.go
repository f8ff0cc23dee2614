package local

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/engine"
)

func TestKilledRunnerTakesItsBuildsAlong(t *testing.T) {
	h := newFixture(t)
	r := h.process()
	h.create("victim", "setsid sleep 600 &", "sleep 600 &", "echo last words", "wait")
	b := h.becomes("victim", h.start("victim"), engine.Running)
	h.says("victim", b.Number, "last words")
	next := h.start("victim")
	r.Process.Kill()
	r.Wait()

	// Without any other runner it is lost, and nobody says that it runs.
	lost := h.becomes("victim", b.Ticket, engine.Lost)
	if lost.Reason.IsZero() || lost.EndedAt.Before(lost.StartedAt) {
		t.Errorf("the lost build: %+v", lost)
	}
	if c, err := h.Log(t.Context(), "victim", b.Number, 0); err != nil || c.More ||
		!strings.Contains(string(c.Text), "last words") {
		t.Errorf("its log: %+v, %v", c, err)
	}
	if w := h.status("victim").Waiting; w == nil || w.Ticket != next ||
		w.Reason.String() != "no runner is running: start “toasterctl runner”" {
		t.Errorf("the start that waited: %+v", w)
	}
	if hl := h.Health(t.Context()); hl.Message.String() != noRunner || hl.Slots[0].Busy != 0 {
		t.Errorf("health: %+v", hl)
	}

	// The next runner says the same, and goes on with what waited.
	h.create("victim", "echo hello")
	h.process()
	h.becomes("victim", next, engine.Succeeded)
	if again := h.becomes("victim", b.Ticket, engine.Lost); again.EndedAt != lost.EndedAt || again.Reason != lost.Reason {
		t.Errorf("lost was %+v, now it is %+v", lost, again)
	}
	if log := h.log("victim", b.Number); !strings.HasSuffix(log, "toaster: "+lost.Reason.String()+"\n") {
		t.Errorf("its log is %q", log)
	}
	h.clean()
	if all, _ := os.ReadDir(filepath.Join(h.Dir, runnersFolder)); len(all) != 1 {
		t.Errorf("the dead runner's file is there: %v", all)
	}
}

// A build that says nothing for long ends when its runner does, and not when it last said something.
func TestALostBuildEndsWithItsRunner(t *testing.T) {
	h := newFixture(t)
	r := h.process()
	h.create("silent", "echo begun; sleep 600")
	b := h.becomes("silent", h.start("silent"), engine.Running)
	h.says("silent", b.Number, "begun")
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(h.Dir, folder("silent", b.Number), "log"), long, long); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * heartbeat)
	r.Process.Kill()
	r.Wait()
	died := time.Now()
	if lost := h.becomes("silent", b.Ticket, engine.Lost); died.Sub(lost.EndedAt) > time.Minute ||
		lost.EndedAt.After(died) || lost.EndedAt.Sub(lost.StartedAt) < heartbeat/2 {
		t.Errorf("it ended %s before its runner, %s after its start", died.Sub(lost.EndedAt),
			lost.EndedAt.Sub(lost.StartedAt))
	}
}

// The group of a build ends with its runner, even if no other runner ever comes.
func TestWatchdogEndsTheGroup(t *testing.T) {
	h := newFixture(t)
	r := h.process()
	h.create("orphan", "sleep 600 &", "echo begun", "sleep 600")
	b := h.becomes("orphan", h.start("orphan"), engine.Running)
	h.says("orphan", b.Number, "begun")
	if !someoneMarked(h.WorkDir) {
		t.Fatal("this test does not see the build's processes")
	}
	r.Process.Kill()
	r.Wait()
	h.until("the group has ended", func() bool { return !someoneMarked(h.WorkDir) })
}

func TestLivingRunnersBuildsAreLeftAlone(t *testing.T) {
	h := newFixture(t)
	dead := h.process()
	h.create("one", "echo begun; sleep 600")
	one := h.becomes("one", h.start("one"), engine.Running)
	dead.Process.Kill()
	dead.Wait()
	h.process()
	h.create("two", "echo begun", "while ! test -e "+filepath.Join(h.Dir, "go")+"; do sleep 0.1; done",
		"mkdir dist; echo image >dist/image")
	two := h.becomes("two", h.start("two"), engine.Running)
	// Another comes, and then one of another database that shares the working directory.
	end := h.runner(nil)
	other := newFixture(t)
	other.WorkDir = h.WorkDir
	end2 := other.runner(nil)
	h.becomes("one", one.Ticket, engine.Lost)
	other.create("three", "echo hello")
	other.becomes("three", other.start("three"), engine.Succeeded)
	end()
	end2()
	if err := os.WriteFile(filepath.Join(h.Dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.becomes("two", two.Ticket, engine.Succeeded)
}

// A runner is killed again and again, at whatever moment. At no moment may a reader see what can't be.
func TestKilledAtAnyMoment(t *testing.T) {
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	h := newFixture(t)
	const jobs = 3
	tickets := map[string][]engine.Ticket{}
	for i := range jobs {
		name := fmt.Sprintf("job-%d", i)
		h.define(engine.Job{Name: name}, "echo begun",
			"mkdir dist; head -c 300000 /dev/urandom >dist/image; cd dist; sha256sum image >SHA256SUMS", "sleep 0.0$(($$ % 10))",
			"echo ended")
	}
	final := map[engine.Ticket]engine.State{}
	for range rounds {
		r := h.process()
		for name := range jobs {
			name := fmt.Sprintf("job-%d", name)
			ticket := h.start(name)
			if list := tickets[name]; len(list) == 0 || list[len(list)-1] != ticket {
				tickets[name] = append(list, ticket)
			}
		}
		time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond)
		r.Process.Kill()
		r.Wait()
		h.consistent(final, tickets)
	}
	h.process()
	for name, list := range tickets {
		last := list[len(list)-1]
		h.becomes(name, last, engine.Succeeded, engine.Lost)
		running, _, err := h.db.LocalOpen(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range running {
			h.becomes(b.Job, ticketOf(b.Ticket), engine.Succeeded, engine.Lost)
		}
	}
	h.consistent(final, tickets)
	h.clean()
	count := map[engine.State]int{}
	for _, state := range final {
		count[state]++
	}
	t.Log("states:", count)
}

// consistent checks what has to hold at any moment: each start is waiting or has become one build, an end stays as it
// is, a build that succeeded has its artifacts, another has none.
func (h *fixture) consistent(final map[engine.Ticket]engine.State, tickets map[string][]engine.Ticket) {
	h.Helper()
	for name, list := range tickets {
		// A child that was being started when its runner was killed may hold the lock for a moment.
		h.until("nothing runs without a runner", func() bool {
			builds := h.status(name).Builds
			return len(builds) == 0 || builds[0].State.Ended()
		})
		known, err := h.db.LocalStatuses(h.Context(), []string{name}, 1000)
		if err != nil {
			h.Fatal(err)
		}
		k := known[name]
		alive := liveRunners{dir: h.Dir}
		seen := map[engine.Ticket]bool{}
		if k.Waiting != nil {
			seen[ticketOf(k.Waiting.Ticket)] = true
		}
		for _, stored := range k.Builds {
			b := h.Engine.status(stored, 0, &alive)
			if seen[b.Ticket] {
				h.Errorf("ticket %s of %s has two builds", b.Ticket, name)
			}
			seen[b.Ticket] = true
			if before, ok := final[b.Ticket]; ok && before != b.State {
				h.Errorf("build %d of %s was %s and is %s", b.Number, name, before, b.State)
			}
			final[b.Ticket] = b.State
			h.complete(name, b)
		}
		for _, ticket := range list {
			if !seen[ticket] {
				h.Errorf("ticket %s of %s is forgotten", ticket, name)
			}
		}
		if len(seen) != len(list) {
			h.Errorf("%s has %d builds for %d starts", name, len(seen), len(list))
		}
	}
}

func (h *fixture) complete(name string, b engine.BuildStatus) {
	h.Helper()
	list, err := h.Artifacts(h.Context(), name, b.Number)
	if err != nil {
		h.Fatal(err)
	}
	if b.State != engine.Succeeded {
		if len(list) != 0 {
			h.Errorf("build %d of %s is %s and has artifacts", b.Number, name, b.State)
		}
		return
	}
	if len(list) != 2 {
		h.Errorf("build %d of %s succeeded with the artifacts %+v", b.Number, name, list)
	}
	for _, a := range list {
		s, err := h.Open(h.Context(), name, b.Number, a.Path, engine.Range{})
		if err != nil {
			h.Errorf("build %d of %s: %v", b.Number, name, err)
			continue
		}
		if s.Size != a.Size {
			h.Errorf("%s of build %d of %s has %d bytes, not %d", a.Path, b.Number, name, s.Size, a.Size)
		}
		s.Close()
	}
	if !strings.Contains(h.log(name, b.Number), "ended") {
		h.Errorf("build %d of %s succeeded without its end in the log", b.Number, name)
	}
}
