package enginetest

import (
	"fmt"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
)

func startToEnd(j *job) {
	j.create("echo hello")
	ticket := j.start()
	seen := false
	j.until("the start shows", func() bool {
		s := j.status()
		if s.Waiting != nil && s.Waiting.Ticket == ticket {
			seen = true
		}
		for _, b := range s.Builds {
			seen = seen || b.Ticket == ticket
		}
		return seen
	})
	b := j.ends(ticket, engine.Succeeded)
	if !b.Reason.IsZero() {
		j.Errorf("a build that succeeded has a reason: %q", b.Reason)
	}
	if s := j.status(); s.Waiting != nil || len(s.Builds) != 1 {
		j.Errorf("afterwards the status is %+v", s)
	}
	if log := j.log(b.Number); !strings.Contains(log, "hello") {
		j.Errorf("the log is %q", log)
	}
}

func numbers(j *job) {
	j.create("echo hello")
	one, two := j.builds(), j.builds()
	if two.Number <= one.Number || one.Number < 1 || one.Ticket == two.Ticket {
		j.Errorf("first %+v, then %+v", one, two)
	}
}

func coalesce(j *job) {
	j.create(long)
	first := j.start()
	b := j.running(first)
	waiting := j.start()
	if waiting == first {
		j.Fatal("the start has the ticket of the build that runs")
	}
	for range 3 {
		if again := j.start(); again != waiting {
			j.Errorf("a second start that waits: ticket %s, want %s", again, waiting)
		}
	}
	j.create("echo short")
	j.must("Stop", j.Engine.Stop(j.Context(), j.name, b.Number))
	j.ends(waiting, engine.Succeeded)
	if s := j.status(); s.Waiting != nil || len(s.Builds) != 2 {
		j.Errorf("the starts have become more builds than two: %+v", s)
	}
}

func oneAtATime(j *job) {
	j.create(long)
	first := j.running(j.start())
	second := j.start()
	// Another job's build shows that there was time and room to start the second one.
	j.another().create("echo hello").builds()
	if s := j.status(); s.Waiting == nil || s.Waiting.Ticket != second || len(s.Builds) != 1 {
		j.Errorf("with a build running the status is %+v", s)
	}
	j.must("Stop", j.Engine.Stop(j.Context(), j.name, first.Number))
	b := j.running(second)
	j.must("Stop", j.Engine.Stop(j.Context(), j.name, b.Number))
	j.ends(second, engine.Aborted)
}

func waits(j *job) {
	j.create(long)
	b := j.running(j.start())
	ticket := j.start()
	j.until("the start waits", func() bool { return j.status().Waiting != nil })
	w := j.status().Waiting
	if w.Ticket != ticket || w.Reason.IsZero() || w.Since.IsZero() || w.Position < 0 {
		j.Errorf("the start waits as %+v", w)
	}
	j.must("Stop", j.Engine.Stop(j.Context(), j.name, 0))
	j.must("Stop", j.Engine.Stop(j.Context(), j.name, b.Number))
	j.ends(b.Ticket, engine.Aborted)
}

func environment(j *job) {
	j.create(`echo "number=$BUILD_NUMBER job=$JOB_NAME"`, `test "$WORKSPACE" = "$PWD"`, `test -z "$(ls -A)"`, `touch left`)
	for range 2 {
		b := j.builds()
		if want := fmt.Sprintf("number=%d job=%s", b.Number, j.name); !strings.Contains(j.log(b.Number), want) {
			j.Errorf("the log lacks %q: %q", want, j.log(b.Number))
		}
	}
}

func statusOfMany(j *job) {
	j.create("echo hello")
	b := j.builds()
	names := []string{j.name}
	for i := range 100 {
		names = append(names, fmt.Sprintf("%s-%d", j.name, i))
	}
	other := j.another().create("echo hello")
	all, err := j.Engine.Status(j.Context(), append(names, other.name)...)
	j.must("Status", err)
	if len(all) != 2 || len(all[j.name].Builds) != 1 || all[j.name].Builds[0].Number != b.Number ||
		len(all[other.name].Builds) != 0 {
		j.Errorf("Status gave %+v", all)
	}
	if none, err := j.Engine.Status(j.Context()); err != nil || len(none) != 0 {
		j.Errorf("Status of no job: %v, %v", none, err)
	}
}

func newestFirst(j *job) {
	j.create("echo hello")
	var last int
	for range engine.RecentBuilds + 1 {
		last = j.builds().Number
	}
	builds := j.status().Builds
	if len(builds) != engine.RecentBuilds || builds[0].Number != last {
		j.Fatalf("the newest is %d, Status has %+v", last, builds)
	}
	for i := 1; i < len(builds); i++ {
		if builds[i].Number >= builds[i-1].Number {
			j.Errorf("build %d comes after %d", builds[i].Number, builds[i-1].Number)
		}
	}
}

func keep(j *job) {
	e, ok := j.Engine.(engine.Keeper)
	if !ok {
		j.Skip("this engine removes nothing by itself")
	}
	expirer := j.Engine.(engine.Expirer)
	j.create("mkdir dist", "echo $BUILD_NUMBER >dist/image")
	b := j.builds()
	for _, again := range []string{"", " again"} {
		j.must("Keep"+again, e.Keep(j.Context(), j.name, b.Number, true))
	}
	j.wants(apperr.FailedPrecondition, "Expire of a kept build", expirer.Expire(j.Context(), j.name, b.Number))
	if text, _ := j.read(b.Number, "image", engine.Range{}); text != fmt.Sprintln(b.Number) {
		j.Errorf("the kept build left %q", text)
	}
	for _, again := range []string{"", " again"} {
		j.must("letting it go"+again, e.Keep(j.Context(), j.name, b.Number, false))
	}
	j.must("Expire", expirer.Expire(j.Context(), j.name, b.Number))
	j.must("Keep of a build that is gone", e.Keep(j.Context(), j.name, b.Number, true))
}

func expire(j *job) {
	e, ok := j.Engine.(engine.Expirer)
	if !ok {
		j.Skip("this engine can't")
	}
	j.create("mkdir dist", "echo $BUILD_NUMBER >dist/image")
	first, second := j.builds(), j.builds()
	for _, again := range []string{"", " again"} {
		j.must("Expire"+again, e.Expire(j.Context(), j.name, first.Number))
	}
	_, err := j.Engine.Log(j.Context(), j.name, first.Number, 0)
	j.wants(apperr.NotFound, "Log of an expired build", err)
	_, err = j.Engine.Open(j.Context(), j.name, first.Number, "image", engine.Range{})
	j.wants(apperr.NotFound, "Open of an expired build", err)
	if text, _ := j.read(second.Number, "image", engine.Range{}); text != fmt.Sprintln(second.Number) {
		j.Errorf("the other build left %q", text)
	}
	j.create(long)
	b := j.running(j.start())
	j.wants(apperr.FailedPrecondition, "Expire of a running build", e.Expire(j.Context(), j.name, b.Number))
	j.must("Stop", j.Engine.Stop(j.Context(), j.name, b.Number))
	if b = j.ends(b.Ticket, engine.Aborted); b.Number <= second.Number {
		j.Errorf("the number %d was given again", b.Number)
	}
}

func expected(j *job) {
	j.create("sleep 1")
	j.builds()
	b := j.running(j.start())
	if b.Expected <= 0 || b.Expected > j.Wait {
		j.Errorf("a build is expected to take %s", b.Expected)
	}
	j.ends(b.Ticket, engine.Succeeded)
}

func failing(j *job) {
	j.create("mkdir dist", "echo image >dist/image", "echo before", "false", "echo after")
	b := j.ends(j.start(), engine.Failed)
	if log := j.log(b.Number); !strings.Contains(log, "before") || strings.Contains(log, "after") {
		j.Errorf("its log is %q", log)
	}
	if next := j.ends(j.start(), engine.Failed); next.Number <= b.Number {
		j.Errorf("the next build is %d", next.Number)
	}
}

func timeLimit(j *job) {
	j.define(engine.Job{TimeLimit: 2 * time.Second}, long, "echo after")
	b := j.ends(j.start(), engine.Failed)
	log := j.log(b.Number)
	if !strings.Contains(log, "begun") || strings.Contains(log, "after\n") {
		j.Errorf("its log is %q", log)
	}
	if !strings.Contains(b.Reason.String()+log, "imed out after 2s.") {
		j.Errorf("it does not say why: %q, %q", b.Reason, log)
	}
}

// outputLimit: what Jenkins's own lines take is not much.
func outputLimit(j *job) {
	j.define(engine.Job{OutputLimit: j.OutputLimit}, "mkdir dist", "echo image >dist/image", "yes toaster || :",
		"echo after")
	b := j.ends(j.start(), engine.Failed)
	log := j.log(b.Number)
	if int64(len(log)) < j.OutputLimit || int64(len(log)) > j.OutputLimit+64<<10 || strings.Contains(log, "after") {
		j.Errorf("its log has %d bytes", len(log))
	}
	if why := "topped: the log exceeded " + engine.FormatBytes(j.OutputLimit) +
		"."; !strings.Contains(b.Reason.String()+log, why) {
		j.Errorf("it does not say why: %q, %q", b.Reason, log[max(0, len(log)-500):])
	}
	if list, err := j.Engine.Artifacts(j.Context(), j.name, b.Number); err != nil || len(list) != 0 {
		j.Errorf("it left %v, %v", list, err)
	}
}

func stopRunning(j *job) {
	j.create("mkdir dist", "echo image >dist/image", long, "echo after")
	b := j.running(j.start())
	j.says(b.Number, "begun")
	j.must("Stop", j.Engine.Stop(j.Context(), j.name, b.Number))
	j.must("Stop again", j.Engine.Stop(j.Context(), j.name, b.Number))
	j.ends(b.Ticket, engine.Aborted)
	if log := j.log(b.Number); !strings.Contains(log, "begun") || strings.Contains(log, "after") {
		j.Errorf("its log is %q", log)
	}
}

func stopWaiting(j *job) {
	j.create(long)
	b := j.running(j.start())
	waiting := j.start()
	j.must("Stop", j.Engine.Stop(j.Context(), j.name, 0))
	j.until("nothing waits", func() bool { return j.status().Waiting == nil })
	if s := j.status(); s.Builds[0].State != engine.Running {
		j.Errorf("with the start the build was stopped too: %+v", s)
	}
	if again := j.start(); again == waiting {
		j.Errorf("a forgotten start's ticket %s was given again", again)
	}
	j.must("Stop", j.Engine.Stop(j.Context(), j.name, 0))
	j.must("Stop", j.Engine.Stop(j.Context(), j.name, b.Number))
	j.ends(b.Ticket, engine.Aborted)
	if s := j.status(); s.Waiting != nil || len(s.Builds) != 1 {
		j.Errorf("a forgotten start has become a build: %+v", s)
	}
}

func stopOthers(j *job) {
	j.create("echo hello")
	j.must("Stop with nothing waiting", j.Engine.Stop(j.Context(), j.name, 0))
	j.wants(apperr.NotFound, "Stop of a build that never was", j.Engine.Stop(j.Context(), j.name, 1))
	b := j.builds()
	j.must("Stop of an ended build", j.Engine.Stop(j.Context(), j.name, b.Number))
	j.wants(apperr.NotFound, "Stop of a build to come", j.Engine.Stop(j.Context(), j.name, b.Number+1))
	j.wants(apperr.NotFound, "Stop of a number below 0", j.Engine.Stop(j.Context(), j.name, -1))
	if s := j.status(); s.Builds[0].State != engine.Succeeded {
		j.Errorf("a stop has changed an ended build: %+v", s)
	}
}
