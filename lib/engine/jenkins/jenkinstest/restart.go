package jenkinstest

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"
)

// Phase is a part of a restart in which every URL has the same answer.
type Phase string

const (
	Stopping Phase = "Please wait while Jenkins is restarting"
	Starting Phase = "Please wait while Jenkins is getting ready to work"
)

// Pause leaves the controller in a phase, until Well.
func (s *Server) Pause(p Phase) {
	s.fault.set(static(http.StatusServiceUnavailable, "<!DOCTYPE html><html><body><h1>"+string(p)+" <span>.</span></h1>"+
		"Your browser will reload automatically when Jenkins is ready.</body></html>"), nil)
}

// Restart restarts the controller in an orderly way, and returns when it is ready: builds that run fail, the queue is
// kept, queue items that have left are forgotten, and so are sessions. Every URL answers 503 at first, then 401 also to
// a correct token; connections are refused; then it is 503 again.
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
	all := s.allBuilding()
	for _, b := range all {
		b.interrupt("")
		s.abandon(b)
	}
	s.mu.Unlock()
	for _, b := range all {
		<-b.ended
	}
	s.mu.Lock()
	for _, b := range all {
		b.shutDown(s.opt.Interrupted)
	}
	s.queue.saved, s.queue.left = s.queue.last, nil
	for _, i := range s.queue.items {
		i.buildable = false
	}
	s.forget()
	s.mu.Unlock()
	time.Sleep(s.opt.Phase)
	s.fault.set(unauthorized, nil)
	time.Sleep(s.opt.Phase)
	s.Down()
}

// StartAgain is the second half of Restart, and what brings a killed controller back.
func (s *Server) StartAgain() error {
	time.Sleep(s.opt.Phase)
	s.Pause(Starting)
	if err := s.listen(); err != nil {
		return err
	}
	time.Sleep(s.opt.Phase)
	s.mu.Lock()
	s.maintain()
	s.mu.Unlock()
	s.fault.set(nil, nil)
	return nil
}

// Kill ends the controller at once, as SIGKILL does: builds that run are never known again although their processes go
// on, the queue is lost, and ids of queue items since the last orderly restart are given again. StartAgain brings it
// back.
func (s *Server) Kill() {
	s.Down()
	s.fault.set(nil, nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.era.Add(1)
	for _, b := range s.allBuilding() {
		s.abandon(b)
		b.job.builds = slices.DeleteFunc(b.job.builds, func(other *build) bool { return other == b })
	}
	s.queue = queue{last: s.queue.saved, saved: s.queue.saved}
	s.forget()
}

// launching tells whether an executor has taken something that doesn't run yet.
func (s *Server) launching() bool {
	for _, n := range s.nodes {
		for _, b := range n.executors {
			if b != nil && !s.live[b] {
				return true
			}
		}
	}
	return false
}

// abandon lets nobody wait for a build that was not launched yet, and won't be.
func (s *Server) abandon(b *build) {
	if !s.live[b] {
		b.log.Close()
		close(b.ended)
	}
}

// forget drops what lives in memory only.
func (s *Server) forget() {
	s.quieting = false
	clear(s.crumbs)
	for _, n := range s.nodes {
		clear(n.executors)
	}
	for _, j := range s.jobs {
		j.starting = false
	}
}

// shutDown is what an orderly shutdown makes of a build.
func (b *build) shutDown(result string) {
	if b.phase == complete {
		return
	}
	b.phase, b.result, b.duration = complete, cmp.Or(result, "FAILURE"), time.Since(b.started)
	if f, err := os.OpenFile(b.log.Name(), os.O_APPEND|os.O_WRONLY, 0); err == nil {
		defer f.Close()
		fmt.Fprint(f, "FATAL: hudson/FilePath$Delete\njava.lang.ClassNotFoundException: hudson.FilePath$Delete\n"+
			"\tat java.base/java.net.URLClassLoader.findClass(URLClassLoader.java:445)\n")
	}
}
