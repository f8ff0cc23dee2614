package main

import (
	"net/http"

	"toaster.do/lib/web"
)

// copyForm shows the form for a new job with the sources of one that is there, to pick another target.
func (j *handlers) copyForm(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	number, err := revision(r)
	if err != nil {
		return err
	}
	job, err := s.Job(r.Context(), r.Identity.User.ID, r.Param("id"))
	if err != nil {
		return err
	}
	rev, err := s.Source(r.Context(), r.Identity.User.ID, job.ID, number)
	if err != nil {
		return err
	}
	git, schedule, err := s.Repository(r.Context(), r.Identity.User.ID, job.ID)
	if err != nil {
		return err
	}
	f := &form{
		Name: job.Name, Target: job.Target, Text: string(rev.Dockerfile), BuildArgs: rev.BuildArgs,
		Environment: rev.Environment, BaseForm: rev.BaseForm, RootKeys: rev.Root.Keys,
		Context: rev.Context, ContextName: job.Name,
	}
	if f.storedRepository(git, schedule); git != nil { // a key or token is entered again
		f.Context, f.Git.HasSecret = "", false
	}
	return j.show(w, r, http.StatusOK, f)
}
