package enginetest

import (
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
)

// long is a script that does not end by itself in any test's time; it says when it has begun.
const long = "echo begun; sleep 600"

func createTwice(j *job) {
	j.create("echo one")
	j.create("echo one")
	if s := j.status(); !s.Enabled || s.Waiting != nil || len(s.Builds) != 0 {
		j.Errorf("a new job's status is %+v", s)
	}
	b := j.builds()
	j.create("echo one")
	if s := j.status(); len(s.Builds) != 1 || s.Builds[0].Number != b.Number {
		j.Errorf("created again it has forgotten its build: %+v", s)
	}
}

func redefine(j *job) {
	j.create("echo first", "sleep 2", "echo still first")
	b := j.running(j.start())
	j.create("echo second")
	j.ends(b.Ticket, engine.Succeeded)
	if log := j.log(b.Number); !strings.Contains(log, "still first") {
		j.Errorf("the build that ran got the new script: %q", log)
	}
	if log := j.log(j.builds().Number); !strings.Contains(log, "second") || strings.Contains(log, "first") {
		j.Errorf("the next build did not get the new script: %q", log)
	}
}

func letterCase(j *job) {
	j.create("echo one")
	b := j.builds()
	upper := *j
	upper.name = strings.ToUpper(j.name)
	// An engine either takes both for the same job, or refuses the second; a second job there is never.
	err := j.Engine.Create(j.Context(), engine.Job{Name: upper.name, Script: []byte("echo two\n"), TimeLimit: time.Minute})
	if err != nil {
		j.wants(apperr.AlreadyExists, "Create in upper case", err)
		return
	}
	if s := upper.status(); len(s.Builds) != 1 || s.Builds[0].Ticket != b.Ticket {
		j.Errorf("in upper case it is another job: %+v", s)
	}
}

func unknownJob(j *job) {
	_, err := j.Engine.Start(j.Context(), j.name)
	j.wants(apperr.NotFound, "Start", err)
	j.wants(apperr.NotFound, "SetEnabled", j.Engine.SetEnabled(j.Context(), j.name, true))
	j.wants(apperr.NotFound, "Stop", j.Engine.Stop(j.Context(), j.name, 0))
	j.wants(apperr.NotFound, "Stop of a build", j.Engine.Stop(j.Context(), j.name, 1))
	_, err = j.Engine.Log(j.Context(), j.name, 1, 0)
	j.wants(apperr.NotFound, "Log", err)
	_, err = j.Engine.Artifacts(j.Context(), j.name, 1)
	j.wants(apperr.NotFound, "Artifacts", err)
	_, err = j.Engine.Open(j.Context(), j.name, 1, "image", engine.Range{})
	j.wants(apperr.NotFound, "Open", err)
	j.must("Remove", j.Engine.Remove(j.Context(), j.name))
}

func disable(j *job) {
	j.create("echo one")
	j.must("SetEnabled", j.Engine.SetEnabled(j.Context(), j.name, false))
	j.must("SetEnabled again", j.Engine.SetEnabled(j.Context(), j.name, false))
	if j.status().Enabled {
		j.Error("it is not disabled")
	}
	_, err := j.Engine.Start(j.Context(), j.name)
	j.wants(apperr.FailedPrecondition, "Start", err)
	j.create("echo two")
	if j.status().Enabled {
		j.Error("a new script has enabled it")
	}
	j.must("SetEnabled", j.Engine.SetEnabled(j.Context(), j.name, true))
	if !j.status().Enabled {
		j.Error("it is not enabled")
	}
	j.builds()
}

func disableRunning(j *job) {
	j.create("sleep 2", "echo to the end")
	b := j.running(j.start())
	j.must("SetEnabled", j.Engine.SetEnabled(j.Context(), j.name, false))
	j.ends(b.Ticket, engine.Succeeded)
}

func disableWaiting(j *job) {
	j.create(long)
	b := j.running(j.start())
	j.start()
	j.must("SetEnabled", j.Engine.SetEnabled(j.Context(), j.name, false))
	j.until("nothing waits", func() bool { return j.status().Waiting == nil })
	j.must("Stop", j.Engine.Stop(j.Context(), j.name, b.Number))
	j.ends(b.Ticket, engine.Aborted)
	if s := j.status(); len(s.Builds) != 1 {
		j.Errorf("the start that waited has become a build: %+v", s.Builds)
	}
}

func remove(j *job) {
	j.create("mkdir dist", "echo image >dist/image")
	b := j.builds()
	j.must("Remove", j.Engine.Remove(j.Context(), j.name))
	j.must("Remove again", j.Engine.Remove(j.Context(), j.name))
	j.gone(b.Number)
}

// gone checks that nothing is left of the job.
func (j *job) gone(number int) {
	j.Helper()
	if all, err := j.Engine.Status(j.Context(), j.name); err != nil || len(all) != 0 {
		j.Errorf("Status after Remove: %v, %v", all, err)
	}
	_, err := j.Engine.Log(j.Context(), j.name, number, 0)
	j.wants(apperr.NotFound, "Log after Remove", err)
	_, err = j.Engine.Open(j.Context(), j.name, number, "image", engine.Range{})
	j.wants(apperr.NotFound, "Open after Remove", err)
	_, err = j.Engine.Start(j.Context(), j.name)
	j.wants(apperr.NotFound, "Start after Remove", err)
}

func removeRunning(j *job) {
	before := j.busy()
	j.create(long)
	b := j.running(j.start())
	j.start()
	j.must("Remove", j.Engine.Remove(j.Context(), j.name))
	j.gone(b.Number)
	j.until("its slot is free", func() bool { return j.busy() <= before })
}

// busy is how many slots are in use.
func (j *job) busy() (n int) {
	for _, s := range j.Engine.Health(j.Context()).Slots {
		n += s.Busy
	}
	return n
}

func removeAndCreate(j *job) {
	j.create("mkdir dist", "echo old >dist/old", long)
	old := j.running(j.start())
	j.says(old.Number, "begun")
	j.must("Remove", j.Engine.Remove(j.Context(), j.name))
	j.create("mkdir dist", "echo new >dist/new")
	if s := j.status(); len(s.Builds) != 0 || s.Waiting != nil {
		j.Errorf("the new job has the old one's builds: %+v", s)
	}
	b := j.builds()
	if b.Ticket == old.Ticket {
		j.Errorf("ticket %s was given twice", b.Ticket)
	}
	if log := j.log(b.Number); strings.Contains(log, "begun") {
		j.Errorf("the new build has the old one's log: %q", log)
	}
	list, err := j.Engine.Artifacts(j.Context(), j.name, b.Number)
	j.must("Artifacts", err)
	if len(list) != 1 || list[0].Path != "new" {
		j.Errorf("the new build's artifacts are %+v", list)
	}
}

func health(j *job) {
	h := j.Engine.Health(j.Context())
	if !h.Reachable || !h.Message.IsZero() {
		j.Errorf("the engine is not well: %+v", h)
	}
	online := 0
	for _, s := range h.Slots {
		online += s.Online
		if s.Busy > s.Online || s.Online > s.Total {
			j.Errorf("these slots can't be: %+v", s)
		}
	}
	if online < 2 {
		j.Errorf("%d slots are online; this suite needs two", online)
	}
	j.create(long)
	b := j.running(j.start())
	j.until("a slot is busy", func() bool { return j.busy() > 0 })
	j.start()
	j.until("a start waits", func() bool { return j.Engine.Health(j.Context()).Queue > 0 })
	j.must("Stop", j.Engine.Stop(j.Context(), j.name, 0))
	j.must("Stop", j.Engine.Stop(j.Context(), j.name, b.Number))
	j.ends(b.Ticket, engine.Aborted)
}
