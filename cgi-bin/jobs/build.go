package main

import (
	"bytes"
	"context"
	"math"
	"net/http"
	"strings"
	"time"

	"toaster.do/lib/build"
	"toaster.do/lib/fault"
	"toaster.do/lib/page"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

// window is how much of a log's end a build's page shows, in bytes.
const window = 64 << 10

// build shows one build: its state, the end of its log, and what it left.
func (j *jobs) build(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	number, err := buildNumber(r)
	if err != nil {
		return err
	}
	ctx, owner, id := r.Context(), r.Who.Person.ID, r.Param("id")
	b, err := s.Build(ctx, owner, id, number)
	if err != nil {
		return err
	}
	artifacts, err := s.Artifacts(ctx, owner, id, number)
	if err != nil {
		return err
	}
	if r.JSON() {
		return r.Answer(w, http.StatusOK, buildAsJSON(b, append([]store.Artifact{}, artifacts...)))
	}
	job, err := s.Job(ctx, owner, id)
	if err != nil {
		return err
	}
	refresh := r.URL.Query().Get("refresh") != "" && !b.Settled
	if refresh {
		w.Header().Set("Refresh", "10")
	}
	return r.Page(w, http.StatusOK, "build", page.View{Here: "jobs", Notice: notice(r), Data: struct {
		Job       *store.Job
		Build     *store.Build
		Now       time.Time
		Title     string
		Log       tail
		Artifacts []store.Artifact
		Refresh   bool
		Live      bool // something on the page will change
	}{job, b, s.Now(), title(s, job.Target), lastOf(ctx, s, owner, id, number), artifacts, refresh, !b.Settled}})
}

// tail is the end of a log.
type tail struct {
	Blocks  []block
	Cut     bool // there is more before it
	Next    int64
	More    bool
	Problem *fault.Error
}

// block is a step's line, or what was printed between two of them.
type block struct {
	Step *build.Step
	Text string
}

// lastOf reads the end of a log. An engine that is away leaves the rest of the page usable.
func lastOf(ctx context.Context, s *build.Service, owner int64, id string, number int) tail {
	end, err := s.Log(ctx, owner, id, number, math.MaxInt64)
	if err != nil {
		return tail{Problem: fault.Of(err), More: true}
	}
	start := max(0, end.Next-window)
	c, err := s.Log(ctx, owner, id, number, start)
	if err != nil {
		return tail{Problem: fault.Of(err), More: true}
	}
	text := c.Text
	if start > 0 { // begin with a whole line
		text = text[bytes.IndexByte(text, '\n')+1:]
	}
	return tail{Blocks: blocks(text), Cut: start > 0, Next: c.Next, More: c.More}
}

func blocks(log []byte) []block {
	var list []block
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			list = append(list, block{Text: text.String()})
			text.Reset()
		}
	}
	for l := range bytes.Lines(log) {
		if step, ok := build.ParseStep(l); ok {
			flush()
			list = append(list, block{Step: &step})
			continue
		}
		text.Write(l)
	}
	flush()
	return list
}
