package jenkinstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// build is one of a job.
type build struct {
	job      *job
	number   int
	queueID  int // -1 for a moment
	user     string
	cookie   string // in the environment of all its processes
	dir      string // what is kept of it
	node     *node
	executor int
	era      int64
	project  project // the job as it was at the start

	started   time.Time
	duration  time.Duration
	result    string // can be set while it still runs
	phase     phase
	kept      bool
	artifacts []string
	log       *os.File // with LF, and with notes that readers don't see

	ctx     context.Context // ends with errStopped or errGone
	end     context.CancelCauseFunc
	stopper string
	ended   chan struct{} // closed when its executor is free
}

type phase int

const (
	building phase = iota
	afterwards
	complete
)

func (b *build) say(lines ...string) { io.WriteString(b.log, strings.Join(lines, "\n")+"\n") }

func (b *build) name() string { return fmt.Sprintf("%s #%d", b.job.name, b.number) }

// interrupt stops a build; its executor is free a moment later. It is called with the controller locked.
func (b *build) interrupt(user string) {
	if b.ctx.Err() == nil {
		b.stopper = user
		b.end(errStopped)
	}
}

// building are the builds of a job that have an executor.
func (s *Server) building(j *job) []*build {
	return slices.DeleteFunc(s.allBuilding(), func(b *build) bool { return b.job != j })
}

// begin makes the build of an item. It is called with the controller locked.
func (s *Server) begin(i *item, n *node, executor int) *build {
	j := i.job
	b := &build{
		job: j, number: j.next, queueID: -1, user: i.user, cookie: randomHex(16),
		dir:  filepath.Join(s.home, "jobs", j.name, "builds", fmt.Sprint(j.next)),
		node: n, executor: executor, era: s.era.Load(), project: j.project, started: time.Now(), ended: make(chan struct{}),
	}
	b.ctx, b.end = context.WithCancelCause(context.Background())
	j.next++
	j.builds = append([]*build{b}, j.builds...)
	n.executors[executor] = b
	os.MkdirAll(b.dir, 0o755)
	b.log, _ = os.OpenFile(filepath.Join(b.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	return b
}

// launch lets a build run. It is called with the controller locked.
func (s *Server) launch(b *build) {
	w := filepath.Join(s.home, "workspace", b.job.name)
	s.live[b] = true
	s.running.Go(func() {
		s.perform(b, w)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.live, b)
	})
}

// perform is a build from its first to its last line.
func (s *Server) perform(b *build, workspace string) {
	defer close(b.ended)
	defer b.log.Close()
	// The note makes a link of the user's name.
	b.say("Started by user \x1b[8mha:////4"+strings.Repeat("AbCd0123", 16)+"=\x1b[0m"+b.user,
		"Running as SYSTEM", "Building in workspace "+workspace)
	os.MkdirAll(workspace, 0o755)
	result := s.steps(b, workspace)
	if context.Cause(b.ctx) != errGone { // else nobody is there to end them
		killCookie(b.cookie)
	}
	if !s.set(b, func() { b.result, b.duration = result, time.Since(b.started) }) {
		return
	}
	artifacts, result := b.archive(workspace, result)
	time.Sleep(s.opt.FinishWindow)
	if !s.set(b, func() {
		b.result, b.artifacts, b.phase, b.duration = result, artifacts, afterwards, time.Since(b.started)
	}) {
		return
	}
	b.say("Finished: " + result)
	s.set(b, func() {
		b.phase = complete
		b.node.executors[b.executor] = nil
		s.maintain()
	})
}

// set changes a build, unless the controller has died since the build began.
func (s *Server) set(b *build, change func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.era.Load() != b.era {
		return false
	}
	change()
	return true
}

// steps runs the shell steps and returns the result.
func (s *Server) steps(b *build, workspace string) string {
	result := "SUCCESS"
	for _, step := range b.project.Shell {
		err := context.Cause(b.ctx)
		if err == nil {
			err = s.shell(b, step.Command, workspace)
		}
		var exit *exec.ExitError
		switch {
		case err == nil:
		case err == errStopped:
			b.say("Build was aborted", "Aborted by "+b.stopper)
			return "ABORTED"
		case err == errGone:
			b.say("FATAL: command execution failed",
				"hudson.remoting.ChannelClosedException: Channel \"hudson.remoting.Channel@5b6e4a55:"+b.node.Name+
					"\": Remote call on "+b.node.Name+" failed. The channel is closing down or has closed down",
				"\tat hudson.remoting.Channel.call(Channel.java:1111)",
				"\tat hudson.Launcher$RemoteLauncher.launch(Launcher.java:1121)",
				"Caused by: java.io.EOFException",
				"\tat java.base/java.io.DataInputStream.readFully(DataInputStream.java:202)",
				"Agent went offline during the build", "ERROR: Connection was broken",
				"Build step 'Execute shell' marked build as failure")
			return "FAILURE"
		case errors.As(err, &exit) && step.Unstable != 0 && exit.ExitCode() == step.Unstable:
			result = "UNSTABLE"
		default:
			b.say("Build step 'Execute shell' marked build as failure")
			return "FAILURE"
		}
	}
	return result
}

// estimate is how long a build takes in ms, going by the last three that were good; -1 when nothing is known.
func (j *job) estimate() int64 {
	sum, n := time.Duration(0), 0
	for _, b := range j.builds {
		if b.phase != building && (b.result == "SUCCESS" || b.result == "UNSTABLE") && n < 3 {
			sum += b.duration
			n++
		}
	}
	if n == 0 {
		return -1
	}
	return (sum / time.Duration(n)).Milliseconds()
}

// buildFields is a build as the API shows it.
func (s *Server) buildFields(b *build) fields {
	f := fields{"_class": "hudson.model.FreeStyleBuild", "number": b.number, "queueId": b.queueID,
		"building": b.phase == building, "result": b.result, "timestamp": b.started.UnixMilli(), "duration": 0,
		"estimatedDuration": func() any { return b.job.estimate() }, "keepLog": b.kept,
		"artifacts": func() any {
			return list(b.artifacts, func(path string) fields { return fields{"relativePath": path} })
		}}
	if b.phase != building {
		f["duration"] = b.duration.Milliseconds()
	}
	actions := []fields{{"_class": "hudson.model.CauseAction"}}
	if b.phase != building && b.result == "ABORTED" && b.stopper != "" { // a restart has no cause
		actions = append(actions, fields{"_class": "jenkins.model.InterruptedBuildAction", "causes": []fields{{
			"_class":           "jenkins.model.CauseOfInterruption$UserInterruption",
			"shortDescription": "Aborted by " + b.stopper}}})
	}
	f["actions"] = actions
	return f
}

// routeBuild answers what is below a build.
func (c *call) routeBuild(b *build, path []string) {
	self := fmt.Sprintf("/job/%s/%d/", escape(b.job.name), b.number)
	switch path[0] {
	case "api":
		c.api(path, c.s.buildFields(b))
	case "logText":
		c.progressiveText(b)
	case "console":
		c.consolePage(b)
	case "consoleText":
		c.consoleText(b)
	case "artifact":
		c.artifact(b, path[1:])
	case "stop":
		if b.node.executors[b.executor] == b {
			if !c.post(JobCancel) {
				return
			}
			b.interrupt(c.user.Name)
		}
		c.redirect(self)
	case "toggleLogKeep":
		permission := RunUpdate
		if b.kept {
			permission = RunDelete // Run.keepLog
		}
		if c.post(permission) {
			b.kept = !b.kept
			c.redirect(self)
		}
	case "doDelete":
		if c.post(RunDelete) {
			c.deleteBuild(b)
		}
	default:
		c.notFound()
	}
}

// deleteBuild forgets a build. One that runs goes on, and keeps its executor.
func (c *call) deleteBuild(b *build) {
	if b.kept {
		c.failure("Unable to delete " + b.name() + ": This record is explicitly marked to be kept.")
		return
	}
	b.job.builds = slices.DeleteFunc(b.job.builds, func(other *build) bool { return other == b })
	os.RemoveAll(b.dir)
	c.redirect("/job/" + escape(b.job.name) + "/")
}
