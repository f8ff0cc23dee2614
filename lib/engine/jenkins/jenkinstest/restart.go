package jenkinstest

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"
)

// Phases are the parts of a restart, in their order.
type Phases struct {
	Stopping     time.Duration // 503 "Please wait while Jenkins is restarting" on every URL
	Unauthorised time.Duration // 401 with a correct token
	Refused      time.Duration // connection refused
	Starting     time.Duration // 503 "getting ready to work"
}

// Restart restarts the controller in an orderly way, and returns when it is ready: builds that run fail, the queue is
// kept, queue items that have left are forgotten, and so are sessions.
func (s *Server) Restart() error {
	s.StopGracefully()
	return s.StartAgain()
}

// StopGracefully is the first half of Restart, up to the moment when connections are refused.
func (s *Server) StopGracefully() {
	s.Pause(Stopping)
	s.mu.Lock()
	s.quieting = true
	for s.launching() { // what has left the queue becomes a build first
		s.mu.Unlock()
		time.Sleep(time.Millisecond)
		s.mu.Lock()
	}
	s.era.Add(1)
	running := s.allRunning()
	for _, b := range running {
		b.interrupt("")
		s.release(b)
	}
	s.mu.Unlock()
	for _, b := range running {
		<-b.ended
	}
	s.mu.Lock()
	for _, b := range running {
		b.stopped(s.opt.Interrupted)
	}
	s.queue.saved, s.queue.left = s.queue.last, nil
	for _, i := range s.queue.items {
		i.buildable = time.Time{}
	}
	s.forget()
	s.mu.Unlock()
	time.Sleep(s.opt.Phases.Stopping)
	s.fault.set(unauthorised)
	time.Sleep(s.opt.Phases.Unauthorised)
	s.Down()
}

// StartAgain is the second half of Restart, and what brings a killed controller back.
func (s *Server) StartAgain() error {
	time.Sleep(s.opt.Phases.Refused)
	s.Pause(Starting)
	if err := s.front.up(); err != nil {
		return err
	}
	time.Sleep(s.opt.Phases.Starting)
	s.mu.Lock()
	s.maintain()
	s.mu.Unlock()
	s.fault.set(nil)
	return nil
}

// Kill ends the controller at once, as SIGKILL does: builds that run are never known again although their processes go
// on, the queue is lost, and ids of queue items since the last orderly restart are given again. StartAgain brings it back.
func (s *Server) Kill() {
	s.Down()
	s.fault.set(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.era.Add(1)
	for _, b := range s.allRunning() {
		s.release(b)
		b.job.builds = slices.DeleteFunc(b.job.builds, func(other *run) bool { return other == b })
	}
	s.queue = queue{last: s.queue.saved, saved: s.queue.saved}
	s.forget()
}

// launching tells whether an executor has taken something that doesn't run yet.
func (s *Server) launching() bool {
	for _, n := range s.nodes {
		for _, b := range n.slots {
			if b != nil && !s.live[b] {
				return true
			}
		}
	}
	return false
}

// release lets nobody wait for a build that was not launched yet, and won't be.
func (s *Server) release(b *run) {
	if !s.live[b] {
		b.log.close()
		close(b.ended)
	}
}

// Phase is a part of a restart in which every URL has the same answer.
type Phase int

const (
	Stopping Phase = iota
	Starting
)

// Pause leaves the controller in a phase, until Well.
func (s *Server) Pause(p Phase) {
	if p == Stopping {
		s.fault.set(waitPage("Restarting Jenkins", "Please wait while Jenkins is restarting"))
	} else {
		s.fault.set(waitPage("Starting Jenkins", "Please wait while Jenkins is getting ready to work"))
	}
}

// forget drops what lives in memory only.
func (s *Server) forget() {
	s.quieting = false
	s.sessions.start()
	for _, n := range s.nodes {
		clear(n.slots)
	}
	for _, j := range s.jobs {
		j.starting = false
	}
}

func (s *Server) allRunning() (all []*run) {
	for _, n := range s.nodes {
		for _, b := range n.slots {
			if b != nil && b.cookie != "" {
				all = append(all, b)
			}
		}
	}
	return all
}

// stopped is what an orderly shutdown makes of a build.
func (b *run) stopped(result string) {
	if b.phase == complete {
		return
	}
	b.phase, b.result, b.duration = complete, cmp.Or(result, "FAILURE"), time.Since(b.started)
	if f, err := os.OpenFile(b.log.file.Name(), os.O_APPEND|os.O_WRONLY, 0); err == nil {
		defer f.Close()
		fmt.Fprint(f, "FATAL: hudson/FilePath$Delete\njava.lang.ClassNotFoundException: hudson.FilePath$Delete\n\tat java.base/java.net.URLClassLoader.findClass(URLClassLoader.java:445)\n")
	}
}

func waitPage(title, words string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", htmlUTF8)
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintf(w, "\n\n    \n    \n    <!DOCTYPE html><html lang=\"en\"><head resURL=\"/static/254c94dc\" data-rooturl=\"\"><title>%s</title><meta name=\"ROBOTS\" content=\"NOFOLLOW\"></head><body><div class=\"simple-page\" role=\"main\"><div class=\"modal signup\"><h1 class=\"loading\">\n                            %s\n                            <span>.</span><span>.</span><span>.</span></h1><p>Your browser will reload automatically when Jenkins is ready.</div></div></body></html>", title, words)
	}
}
