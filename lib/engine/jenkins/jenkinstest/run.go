package jenkinstest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// run is a build.
type run struct {
	job     *job
	number  int
	queueID int // -1 for a moment
	causes  []string
	cookie  string // in the environment of all its processes
	dir     string // what is kept of it
	node    *node
	slot    int
	era     int64
	project project // the job as it was at the start

	started   time.Time
	duration  time.Duration
	result    string // can be set while it still runs
	phase     phase
	kept      bool
	artifacts []string
	log       *console

	stopOnce sync.Once
	goneOnce sync.Once
	stop     chan struct{} // closed when somebody stops it
	gone     chan struct{} // closed when its agent is
	stopper  string
	ended    chan struct{} // closed when its executor is free
}

type phase int

const (
	building phase = iota
	afterwards
	complete
)

func (b *run) building() bool     { return b.phase == building }
func (b *run) any() bool          { return true }
func (b *run) completed() bool    { return !b.building() }
func (b *run) failed() bool       { return b.completed() && b.result == "FAILURE" }
func (b *run) stable() bool       { return b.completed() && b.result == "SUCCESS" }
func (b *run) unstable() bool     { return b.completed() && b.result == "UNSTABLE" }
func (b *run) better() bool       { return b.stable() || b.unstable() } // successful, in Jenkins's words
func (b *run) unsuccessful() bool { return b.completed() && b.result != "SUCCESS" }

// interrupt stops a build; its executor is free a moment later.
func (b *run) interrupt(user string) {
	b.stopOnce.Do(func() {
		b.stopper = user
		close(b.stop)
	})
}

// lost tells a build that its agent is gone.
func (b *run) lost() { b.goneOnce.Do(func() { close(b.gone) }) }

// begin makes the build of an item. It is called with the controller locked.
func (s *Server) begin(i *item, n *node, slot int) *run {
	j := i.job
	b := &run{
		job: j, number: j.next, queueID: -1, causes: i.causes, cookie: randomHex(16), dir: s.buildDir(j, j.next), node: n, slot: slot, era: s.era.Load(),
		project: j.project, started: time.Now(), stop: make(chan struct{}), gone: make(chan struct{}), ended: make(chan struct{}),
	}
	j.next++
	j.builds = append([]*run{b}, j.builds...)
	n.slots[slot] = b
	os.MkdirAll(b.dir, 0o755)
	b.log = openConsole(filepath.Join(b.dir, "log"))
	return b
}

// launch lets a build run. It is called with the controller locked.
func (s *Server) launch(b *run) {
	w := s.workspace(b.job)
	s.runs.Add(1)
	s.live[b] = true
	go func() {
		defer s.runs.Done()
		s.perform(b, w)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.live, b)
	}()
}

// perform is a build from its first to its last line.
func (s *Server) perform(b *run, workspace string) {
	defer close(b.ended)
	defer b.log.close()
	for _, u := range b.causes {
		b.log.started(u)
	}
	b.log.say("Running as SYSTEM")
	b.log.say("Building in workspace " + workspace)
	os.MkdirAll(workspace, 0o755)
	result := s.steps(b, workspace)
	select {
	case <-b.gone: // nobody is there to end them
	default:
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
	b.log.say("Finished: " + result)
	s.set(b, func() {
		b.phase = complete
		b.node.slots[b.slot] = nil
		s.rotate(b.job)
		s.maintain()
	})
}

// set changes a build, unless the controller has died since the build began.
func (s *Server) set(b *run, change func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.era.Load() != b.era {
		return false
	}
	change()
	return true
}

// steps runs the shell steps and returns the result.
func (s *Server) steps(b *run, workspace string) string {
	result := "SUCCESS"
	for _, step := range b.project.Builders.Shell {
		err := errStopped
		select {
		case <-b.stop:
		default:
			err = s.shell(b, step.Command, workspace)
		}
		var exit *exec.ExitError
		exited := errors.As(err, &exit)
		switch {
		case err == errStopped:
			b.log.say("Build was aborted", "Aborted by "+b.stopper)
			return "ABORTED"
		case err == errGone:
			b.log.say("FATAL: command execution failed",
				"hudson.remoting.ChannelClosedException: Channel \"hudson.remoting.Channel@5b6e4a55:"+b.node.Name+
					"\": Remote call on "+b.node.Name+" failed. The channel is closing down or has closed down",
				"\tat hudson.remoting.Channel.call(Channel.java:1111)", "\tat hudson.Launcher$RemoteLauncher.launch(Launcher.java:1121)",
				"Caused by: java.io.EOFException", "\tat java.base/java.io.DataInputStream.readFully(DataInputStream.java:202)",
				"Agent went offline during the build", "ERROR: Connection was broken",
				"Build step 'Execute shell' marked build as failure")
			return "FAILURE"
		case exited && step.Unstable != 0 && exit.ExitCode() == step.Unstable:
			result = "UNSTABLE"
		case err != nil:
			if !exited {
				b.log.say("FATAL: command execution failed", err.Error())
			}
			b.log.say("Build step 'Execute shell' marked build as failure")
			return "FAILURE"
		}
	}
	return result
}

// rotate forgets old builds, but not the last that succeeded, nor the last that was stable.
func (s *Server) rotate(j *job) {
	keep, err := strconv.Atoi(j.project.Keep)
	if err != nil {
		keep, err = strconv.Atoi(j.project.Discarder)
	}
	if err != nil || keep < 0 {
		return
	}
	var good, stable bool
	var kept []*run
	for n, b := range j.builds {
		last := b.better() && !good || b.stable() && !stable
		good, stable = good || b.better(), stable || b.stable()
		if n < keep || last || b.kept || b.building() {
			kept = append(kept, b)
			continue
		}
		os.RemoveAll(b.dir)
	}
	j.builds = kept
}

func (j *job) find(name string) *run {
	match := map[string]func(*run) bool{
		"lastBuild": (*run).any, "lastCompletedBuild": (*run).completed, "lastFailedBuild": (*run).failed, "lastStableBuild": (*run).stable,
		"lastSuccessfulBuild": (*run).better, "lastUnstableBuild": (*run).unstable, "lastUnsuccessfulBuild": (*run).unsuccessful,
	}[name]
	if match == nil {
		match = func(b *run) bool { return strconv.Itoa(b.number) == name }
	}
	for _, b := range j.builds {
		if match(b) {
			return b
		}
	}
	return nil
}

// estimate is how long a build takes, going by those before; negative when nothing is known.
func (j *job) estimate() time.Duration {
	var good, other []*run
	for n, b := range j.builds {
		switch {
		case b.better() && (len(good) == 0 || n < 6) && len(good) < 3:
			good = append(good, b)
		case n < 6 && b.failed():
			other = append(other, b)
		}
	}
	good = append(good, other...)
	good = good[:min(3, len(good))]
	if len(good) == 0 {
		return -1
	}
	var sum time.Duration
	for _, b := range good {
		sum += b.duration
	}
	return sum / time.Duration(len(good))
}

func (b *run) eta(now time.Time) string {
	d := b.job.estimate()
	if d < 0 {
		return "N/A"
	}
	return span(b.started.Add(d).Sub(now))
}

func (b *run) progress() int {
	d := b.job.estimate()
	if d <= 0 {
		return -1
	}
	return min(99, int(100*time.Since(b.started)/d))
}

func (b *run) name() string { return fmt.Sprintf("%s #%d", b.job.name, b.number) }
