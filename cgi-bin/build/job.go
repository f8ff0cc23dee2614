package main

import (
	"net/http"

	"toaster.do/cgi-bin/jobs/look"
	"toaster.do/lib/apperr"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/jobs"
	"toaster.do/lib/store"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// jobPage is a job as its page shows it.
type jobPage struct {
	Job         *store.Job
	Revision    *store.Revision
	Open        bool
	Problem     *apperr.Error
	NotStarted  *apperr.Error // why the build that was asked for was not queued
	Source      source
	History     history
	ContextSize int64
	Images      images
	Secrets     []dockerfile.Secret // that a build is given, or must be
	Docker      string              // the command that tests the same sources in a container
	Address     string              // of the site
	Git         repositoryPage
}

var jobTemplate = view.Template[jobPage]{Name: "job"}

// view shows a job: its Dockerfile with the findings beside their lines, and its builds.
func (j *handlers) view(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	ctx, owner, id := r.Context(), r.Identity.User.ID, r.Param("id")
	job, err := s.Job(ctx, owner, id)
	if err != nil {
		return err
	}
	if r.JSON() {
		return answer(w, r, s, http.StatusOK, job)
	}
	said, err := passedTo(w, r)
	if err != nil {
		return err
	}
	builds, err := s.Builds(ctx, owner, id)
	if err != nil {
		return err
	}
	rev, err := s.Source(ctx, owner, id, 0)
	if err != nil {
		return err
	}
	past, err := historyOf(r, s, job, builds)
	if err != nil {
		return err
	}
	chosen, _ := s.Target(job.Target) // of one that is not offered any more nothing is known
	findings, unbuildable := s.Findings(ctx, job, rev.Number)
	locked, imageErr := imagesOf(rev.Lock)
	if imageErr != nil {
		return imageErr
	}
	secrets, err := s.Secrets(ctx, owner, id)
	if err != nil {
		return err
	}
	git, err := repositoryOfJob(r, s, id, rev.Source, builds)
	if err != nil {
		return err
	}
	docker := jobs.DockerBuild(chosen, rev.BuildArgs, "", rev.Context != "" || dockerfile.NeedsContext(rev.Dockerfile),
		secrets)
	page := jobPage{job, rev, len(builds) > 0 && open(builds), problem(unbuildable), said.Fault(),
		newSource(r, rev.Dockerfile, findings), past, rev.ContextSize, locked, secrets, docker, r.Address(), git}
	return r.Page(w, http.StatusOK, jobTemplate.With(page), view.View{Here: "jobs", Notice: look.Notice(r)})
}

// answer gives a program a job.
func answer(w http.ResponseWriter, r *web.Request, s *jobs.Service, status int, job *store.Job) error {
	out, err := whole(r, s, job)
	if err != nil {
		return err
	}
	return r.Answer(w, status, out)
}

// open tells whether a build is queued or running.
func open(builds []*store.Build) bool {
	for _, b := range builds {
		if b.Open() {
			return true
		}
	}
	return false
}

// problem is what a page says of sources that can't be built any more.
func problem(err error) *apperr.Error {
	if err == nil {
		return nil
	}
	return apperr.Of(err)
}

// source is a Dockerfile to look at, with what there is to say of its lines.
type source struct {
	Lines    []line
	General  []dockerfile.Finding // of no line in particular
	Findings []dockerfile.Finding
}

type line struct {
	Number   int
	Spans    []dockerfile.Span
	Findings []dockerfile.Finding // of the instruction that ends here
}

// explain leads from a rule that has no page of its own to the help.
func explain(r *web.Request, findings []dockerfile.Finding) {
	for i, f := range findings {
		if f.URL == "" {
			findings[i].URL = r.Prefix + "/help#" + f.Rule
		}
	}
}

// newSource puts findings to their lines.
func newSource(r *web.Request, text []byte, findings []dockerfile.Finding) source {
	s := source{Findings: findings}
	for i, spans := range dockerfile.Highlight(text) {
		s.Lines = append(s.Lines, line{Number: i + 1, Spans: spans})
	}
	explain(r, findings)
	for _, f := range findings {
		at := max(f.EndLine, f.Line) - 1
		if at < 0 || at >= len(s.Lines) {
			s.General = append(s.General, f)
			continue
		}
		s.Lines[at].Findings = append(s.Lines[at].Findings, f)
	}
	return s
}
