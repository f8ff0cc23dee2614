// Package jenkinstest imitates a Jenkins 2.263.4 controller for tests: what toaster asks of one, with the oddities that
// a real one has there, its queue, agents and builds, which really run, its permissions, and its ways to fail. Nothing
// is kept: what it knows is gone with it.
package jenkinstest

import (
	"cmp"
	"context"
	"encoding/pem"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
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
	Users     []User  // default: Users()
	Agents    []Agent // beside the built-in node, "master"
	Executors int     // of the built-in node, default 2; negative for none
	Prefix    string  // path below which everything lives, "/jenkins"; default none
	TLS       bool    // https, with a certificate that Server.CA holds
	View      string  // a list view that lists jobs by name, made at the start; default none

	QuietPeriod  time.Duration // default 5 ms
	LeaveWindow  time.Duration // how long a left item has no executable yet, default 15 ms
	FinishWindow time.Duration // how long a result shows while the build still runs, default 28 ms
	KeepLeft     time.Duration // how long a left queue item can be asked for, default 300 s
	Phase        time.Duration // how long each part of a restart takes, default 30 ms
	Spool        time.Duration // what progressiveText takes before its first byte, for each MiB; default none
	// Interrupted is the result of builds that a restart has ended: "FAILURE" unless it is set, or "ABORTED".
	Interrupted string
}

// Server is a running controller. Its methods may be called from any goroutine.
type Server struct {
	URL string // where it listens, with the prefix, without a slash at the end
	CA  string // path of the certificate, as PEM, when Options.TLS is set

	opt   Options
	fault faults

	mu       sync.Mutex // guards what follows; held while a request is answered
	home     string     // JENKINS_HOME
	users    map[string]*User
	crumbs   map[string]string // by session
	nodes    []*node
	jobs     map[string]*job // by lower-case name
	views    []*view
	queue    queue
	quieting bool
	era      atomic.Int64 // rises with each restart or crash: builds of an older one are forgotten
	running  sync.WaitGroup
	live     map[*build]bool // builds that have processes, also when a crash has made the controller forget them
	closed   bool
	http     *httptest.Server // nil while it is down
	address  string
	spooled  atomic.Int64
	left     []string // cookies of processes that a lost agent still runs
}

// Start starts a controller, which ends with the test.
func Start(t testing.TB, opt Options) *Server {
	t.Helper()
	home, err := os.MkdirTemp("", "jenkinstest-")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{opt: opt.withDefaults(), home: home, crumbs: map[string]string{},
		users: map[string]*User{}, jobs: map[string]*job{}, live: map[*build]bool{}}
	t.Cleanup(s.Close)
	for _, u := range s.opt.Users {
		u.May = maps.Clone(u.May)
		s.users[u.Name] = &u
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
		t.Fatal(err)
	}
	s.URL = s.http.URL + s.opt.Prefix
	if s.opt.TLS {
		s.CA = filepath.Join(home, "ca.pem")
		block := &pem.Block{Type: "CERTIFICATE", Bytes: s.http.Certificate().Raw}
		if err := os.WriteFile(s.CA, pem.EncodeToMemory(block), 0o644); err != nil {
			t.Fatal(err)
		}
	}
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
	s.queue.items, s.queue.left = nil, nil
	for _, b := range s.allBuilding() {
		s.abandon(b)
	}
	cookies := s.left
	for b := range s.live {
		b.interrupt("")
		cookies = append(cookies, b.cookie)
	}
	s.mu.Unlock()
	s.fault.clear()
	s.Down()
	for _, cookie := range cookies {
		killCookie(cookie)
	}
	s.running.Wait()
	os.RemoveAll(s.home)
}

// listen lets the controller listen, again at the address that it had, if it doesn't.
func (s *Server) listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http != nil || s.closed {
		return nil
	}
	address := cmp.Or(s.address, "127.0.0.1:0")
	conns, err := net.Listen("tcp", address)
	// The address may still belong to a connection that ends.
	for end := time.Now().Add(5 * time.Second); err != nil && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
		conns, err = net.Listen("tcp", address)
	}
	if err != nil {
		return err
	}
	s.http = &httptest.Server{Listener: conns, Config: &http.Server{Handler: s, ErrorLog: log.New(io.Discard, "", 0)}}
	s.address = conns.Addr().String()
	if s.opt.TLS {
		s.http.StartTLS()
	} else {
		s.http.Start()
	}
	return nil
}

// Down refuses connections, and cuts those that are open.
func (s *Server) Down() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http != nil {
		s.http.Config.Close()
		s.http = nil
	}
}

func (o Options) withDefaults() Options {
	if o.Users == nil {
		o.Users = Users()
	}
	o.Executors = cmp.Or(o.Executors, 2)
	o.QuietPeriod = cmp.Or(o.QuietPeriod, 5*time.Millisecond)
	o.LeaveWindow = cmp.Or(o.LeaveWindow, 15*time.Millisecond)
	o.FinishWindow = cmp.Or(o.FinishWindow, 28*time.Millisecond)
	o.KeepLeft = cmp.Or(o.KeepLeft, 300*time.Second)
	o.Phase = cmp.Or(o.Phase, 30*time.Millisecond)
	return o
}

// Wait returns when no build runs and none waits for an executor that is there, or with the context's error.
func (s *Server) Wait(ctx context.Context) error {
	for {
		s.mu.Lock()
		busy := len(s.queue.items) > 0 || s.busyExecutors() > 0
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
