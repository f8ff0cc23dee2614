package main

import (
	"net/http"
	"time"

	"toaster.do/cgi-bin/jobs/look"
	"toaster.do/lib/api"
	"toaster.do/lib/apperr"
	"toaster.do/lib/buildlog"
	"toaster.do/lib/engine"
	"toaster.do/lib/engine/reconcile"
	"toaster.do/lib/jobs"
	"toaster.do/lib/store"
	"toaster.do/lib/target"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// build shows one build: its state, why it failed, what it left, and a window of its log.
func (j *handlers) build(w http.ResponseWriter, r *web.Request) error {
	fresh := r.Context() // where asking the engine has its time yet
	s, err := j.open(r)
	if err != nil {
		return err
	}
	number, err := look.Number(r, &s.Reconciler, false)
	if err != nil {
		return err
	}
	if r.JSON() && r.URL.Query().Has("wait") {
		if err := wait(r, s, fresh, number); err != nil {
			return err
		}
	}
	ctx, owner, id := r.Context(), r.Identity.User.ID, r.Param("id")
	b, err := s.Build(ctx, owner, id, number)
	if err != nil {
		return err
	}
	artifacts, err := s.Artifacts(ctx, owner, id, number)
	if err != nil {
		return err
	}
	phases, err := db(r).ScanState(ctx, b)
	if err != nil {
		return err
	}
	sources, err := db(r).Sources(ctx, owner, id)
	if err != nil {
		return err
	}
	timeline := reconcile.Timeline(b, phases.Phases, s.Now())
	if r.JSON() {
		out := api.BuildOf(b, append([]store.Artifact{}, artifacts...)).At(r.Address(), id)
		out.Timeline = api.TimelineOf(timeline)
		out.Source = api.SourceOf(sources[b.Revision])
		out.Failure = failureAsJSON(failureOf(r, s, b, nil))
		if out.Next, err = nextAsJSON(r, s, b, artifacts); err != nil {
			return err
		}
		if gone := b.Gone(); gone != nil {
			return web.WithMembers(gone, map[string]any{"build": out})
		}
		return r.Answer(w, http.StatusOK, out)
	}
	p := &buildPage{Build: b, Artifacts: artifacts, Live: !b.Finalized, Now: s.Now(), Timeline: timeline,
		Log: logOf(r, s, b)}
	if !b.Fetching {
		p.Source = sources[b.Revision]
	}
	if err := p.read(r, s); err != nil {
		return err
	}
	if p.Refresh {
		w.Header().Set("Refresh", "10")
	}
	status := http.StatusOK
	if p.Log.Gone != nil {
		status = http.StatusGone
	}
	return r.Page(w, status, buildTemplate.With(p), view.View{Here: "jobs", Notice: look.Notice(r)})
}

var buildTemplate = view.Template[*buildPage]{Name: "build"}

// buildPage is a build as its page shows it.
type buildPage struct {
	Job        *store.Job
	Build      *store.Build
	Now        time.Time
	Timeline   []reconcile.Span
	Failure    *failure
	Artifacts  []store.Artifact
	Next       []target.Step
	Screenshot string
	Log        logPart
	Secrets    bool         // a build can be given some
	Source     store.Source // what it was fetched from
	Previous   int          // the build before; 0: none
	Stay       store.Stay
	Refresh    bool
	Live       bool // something on the page will change
}

func (p *buildPage) read(r *web.Request, s *jobs.Service) (err error) {
	ctx, owner, id := r.Context(), r.Identity.User.ID, p.Build.JobID
	if p.Job, err = s.Job(ctx, owner, id); err != nil {
		return err
	}
	builds, err := s.Builds(ctx, owner, id)
	if err != nil {
		return err
	}
	p.Stay = store.Stays(builds, s.Limits.Keep, s.Limits.Builds.For(r.Identity.User).KeepDays)[p.Build.Number]
	for _, b := range builds {
		if b.Number < p.Build.Number {
			p.Previous = max(p.Previous, b.Number)
		}
	}
	secrets, err := s.Secrets(ctx, owner, id)
	if err != nil {
		return err
	}
	p.Secrets = len(secrets) > 0
	p.Refresh = r.URL.Query().Get("refresh") != "" && p.Live
	p.Screenshot = screenshot(p.Artifacts)
	if p.Next, err = whatNext(r, s, p.Job, p.Build.Revision, p.Artifacts); err != nil {
		return err
	}
	if p.Build.State != engine.Failed {
		return nil
	}
	p.Failure = failureOf(r, s, p.Build, p.Log.end())
	rev, err := s.Source(ctx, owner, id, p.Build.Revision)
	if err == nil && p.Failure.Step != nil {
		p.Failure.Lines = excerpt(rev.Dockerfile, p.Failure.Step.Line)
	}
	return err
}

// Phase is what the build does now; nil: it doesn't run, or that is unknown.
func (p *buildPage) Phase() *reconcile.Span {
	if n := len(p.Timeline); n > 0 && p.Build.State == engine.Running && p.Timeline[n-1].Running {
		return &p.Timeline[n-1]
	}
	return nil
}

// Output is the end of what a failed step printed.
func (p *buildPage) Output() view.HTML { return buildlog.Text(p.Failure.Output) }

// Left is how long the build will probably take from now on; 0: that is unknown.
func (p *buildPage) Left() time.Duration {
	if end := p.Build.ExpectedEnd(); !end.IsZero() {
		return min(end.Sub(p.Now), end.Sub(p.Build.StartedAt)) // less than that, unless the clock was set back
	}
	return 0
}

// logPart is the window of the log that the page shows.
type logPart struct {
	Lines   view.HTML
	Style   string // that it ends in
	Window  buildlog.Window
	Asked   bool          // by its place: it is not the end that is followed
	Gone    *apperr.Error // why there is none any more
	Problem *apperr.Error
}

// end is the end of the log, where that is what the page shows.
func (l *logPart) end() *buildlog.Window {
	if l.Asked || l.Gone != nil || l.Problem != nil {
		return nil
	}
	return &l.Window
}

// logOf reads the part of a log that was asked for. An engine that is away leaves the rest of the page usable.
func logOf(r *web.Request, s *jobs.Service, b *store.Build) logPart {
	window, asked, err := look.WindowOf(r, &s.Reconciler, b.Number)
	switch {
	case err != nil && apperr.KindOf(err) == apperr.Gone:
		return logPart{Gone: apperr.Of(err)}
	case err != nil:
		return logPart{Problem: apperr.Of(err), Asked: asked}
	}
	v := look.ViewOf(r, b)
	v.Closed = !asked
	if !asked && b.Step > 0 && b.LogOffset >= window.From { // the search for steps has come as far
		v.Last = &engine.Step{Number: b.Step, Of: b.Steps}
	}
	part := logPart{Window: window, Asked: asked}
	part.Lines, part.Style = v.HTML(window)
	return part
}
