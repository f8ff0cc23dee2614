// Package jenkinstest imitates a Jenkins 2.263.4 controller for tests: its requests' answers with their oddities, its
// queue, agents and builds, which really run, its permissions, and its ways to fail. It is for tests and benchmarks
// only. What it holds itself to, which is what a real controller answered, is in its tests named …facts_test.go.
//
// It has freestyle jobs with shell steps and an archiver, list views, and the parts of the remote API that a client needs to
// define, start, watch, stop and delete them. It has no folders, other kinds of jobs, parameters beyond refusing to build without
// them, source control, label expressions, logs in HTML, nor archives of artifacts; its pages for people say what the real
// ones say and look like nothing; it takes no time to check a password. What it knows is
// gone with it.
package jenkinstest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Version is the controller's version that is imitated.
const Version = "2.263.4"

// Options are a controller's settings; zero values give the defaults.
type Options struct {
	Users  []User  // default: Users()
	Agents []Agent // beside the built-in node, "master"
	// Executors of the built-in node, default 2; negative for none.
	Executors int
	Prefix    string // path below which everything lives, "/jenkins"; default none
	RootURL   string // what "url" fields in answers begin with, default "http://jenkins.example:8080/"
	TLS       bool   // https, with a certificate that Server.CA holds
	View      string // a list view that lists jobs by name, made at the start; default none

	QuietPeriod  time.Duration // default 5 ms
	LeaveWindow  time.Duration // how long a left item has no executable yet, default 15 ms
	FinishWindow time.Duration // how long a result shows while the build still runs, default 28 ms
	KeepLeft     time.Duration // how long a left queue item can be asked for, default 300 s
	Grace        time.Duration // between SIGTERM and SIGKILL when a build is stopped, default 5 s
	Phases       Phases        // how long the parts of a restart take
	Spool        time.Duration // what progressiveText takes for each MiB that it sends, before the first byte; default none
	// Interrupted is the result of builds that a restart has ended: "FAILURE" unless it is set, or "ABORTED".
	Interrupted string
}

// Agent is a node that runs builds.
type Agent struct {
	Name      string
	Labels    []string
	Executors int // default 1
	Offline   bool
	Exclusive bool // takes only builds with one of its labels
}

// Server is a running controller. Its methods may be called from any goroutine.
type Server struct {
	URL string // where it listens, with the prefix, without a slash at the end
	CA  string // path of the certificate, as PEM, when Options.TLS is set

	opt   Options
	front front
	fault faults
	log   requests

	mu       sync.Mutex // guards what follows; held while a request is answered
	home     string     // JENKINS_HOME
	users    map[string]*User
	sessions sessions
	nodes    []*node
	jobs     map[string]*job // by lower-case name
	views    []*view
	queue    queue
	quieting bool
	era      atomic.Int64 // rises with each restart or crash: runs of an older one are forgotten
	scripts  int
	runs     sync.WaitGroup
	live     map[*run]bool // builds that have processes, also when a crash has made the controller forget them
	closed   bool
	spooled  atomic.Int64
	left     []string // cookies of processes that a lost agent still runs
}

// New starts a controller. Close must be called.
func New(opt Options) (*Server, error) {
	home, err := os.MkdirTemp("", "jenkins-standin-")
	if err != nil {
		return nil, err
	}
	s := &Server{opt: opt.withDefaults(), home: home, users: map[string]*User{}, jobs: map[string]*job{}, live: map[*run]bool{}}
	s.sessions.start()
	for _, u := range s.opt.Users {
		s.users[u.Name] = u.clone()
	}
	if s.opt.Executors > 0 {
		s.nodes = append(s.nodes, newNode(Agent{Name: "master", Executors: s.opt.Executors}))
	}
	for _, a := range s.opt.Agents {
		s.nodes = append(s.nodes, newNode(a))
	}
	if s.opt.View != "" {
		s.views = append(s.views, &view{name: s.opt.View, names: map[string]bool{}})
	}
	if err := s.listen(); err != nil {
		os.RemoveAll(home)
		return nil, err
	}
	return s, nil
}

// Start is New for a test, which fails when it doesn't work; the controller ends with the test.
func Start(t testing.TB, opt Options) *Server {
	t.Helper()
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Close stops the server and every process of its builds, and removes its files.
func (s *Server) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	s.era.Add(1)
	s.queue.drop()
	for _, b := range s.allRunning() {
		s.release(b)
	}
	var live []*run
	for b := range s.live {
		live = append(live, b)
	}
	left := s.left
	s.mu.Unlock()
	s.fault.clear()
	s.front.close()
	for _, b := range live {
		b.interrupt("")
		killCookie(b.cookie)
	}
	for _, cookie := range left {
		killCookie(cookie)
	}
	s.runs.Wait()
	os.RemoveAll(s.home)
}

// Home is the controller's directory: workspace/JOB and jobs/JOB/builds/N are below it.
func (s *Server) Home() string { return s.home }

func (o Options) withDefaults() Options {
	if o.Users == nil {
		o.Users = Users()
	}
	if o.Executors == 0 {
		o.Executors = 2
	}
	if o.RootURL == "" {
		o.RootURL = "http://jenkins.example:8080/"
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.QuietPeriod, 5 * time.Millisecond}, {&o.LeaveWindow, 15 * time.Millisecond}, {&o.FinishWindow, 28 * time.Millisecond},
		{&o.KeepLeft, 300 * time.Second}, {&o.Grace, 5 * time.Second},
		{&o.Phases.Stopping, 30 * time.Millisecond}, {&o.Phases.Unauthorised, 30 * time.Millisecond},
		{&o.Phases.Refused, 30 * time.Millisecond}, {&o.Phases.Starting, 30 * time.Millisecond},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return o
}

func (s *Server) workspace(j *job) string { return filepath.Join(s.home, "workspace", j.name) }

func (s *Server) buildDir(j *job, number int) string {
	return filepath.Join(s.home, "jobs", j.name, "builds", fmt.Sprint(number))
}

// ServeHTTP answers as the controller does, faults included.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.serve(w, r) }

// Wait returns when no build runs and none waits for an executor that is there, or with the context's error.
func (s *Server) Wait(ctx context.Context) error {
	for {
		s.mu.Lock()
		busy := len(s.queue.items) > 0 || s.busy() > 0
		s.mu.Unlock()
		if !busy {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
}
