package main

import (
	"net/http"

	"toaster.do/lib/apperr"
	"toaster.do/lib/jobs"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

// updateForm shows the form that changes a job's sources, filled with the newest revision.
func (j *handlers) updateForm(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	job, rev, err := j.newest(r, s)
	if err != nil {
		return err
	}
	git, schedule, err := s.Repository(r.Context(), r.Identity.User.ID, job.ID)
	if err != nil {
		return err
	}
	f, err := j.fromDraft(r)
	if err != nil {
		return err
	}
	if f == nil {
		f = &form{Revision: rev.Number, Name: job.Name, Text: string(rev.Dockerfile), BuildArgs: rev.BuildArgs,
			Environment: rev.Environment, BaseForm: rev.BaseForm, RootKeys: rev.Root.Keys}
		f.storedRepository(git, schedule)
	}
	f.Git.HasSecret = git != nil && git.Secret != nil
	f.Job, f.Target, f.HasContext, f.HasPassword = job, job.Target, rev.Context != "", rev.Root.Password != ""
	return j.show(w, r, http.StatusOK, f)
}

// update stores a new revision. When somebody stored one meanwhile, the form shows both.
func (j *handlers) update(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	f, err := j.read(r)
	job, rev, missing := j.newest(r, s)
	if missing != nil {
		if apperr.KindOf(missing) == apperr.NotFound && !r.JSON() { // what was typed can become another job
			f.Revision = 0
			return j.reject(w, r, f, apperr.New(apperr.NotFound, "The job no longer exists.",
				"Your changes are shown as a new job. Choose a target to save it."))
		}
		return missing
	}
	f.Job, f.Target, f.HasContext, f.HasPassword = job, job.Target, rev.Context != "", rev.Root.Password != ""
	if f.Revision == 0 && r.JSON() {
		f.Revision = rev.Number
	}
	if f.noKeys { // a program that says nothing of them
		f.RootKeys = rev.Root.Keys
	}
	if f.noEnvironment {
		f.Environment = rev.Environment
	}
	if f.noBaseForm {
		f.BaseForm = rev.BaseForm
	}
	git, schedule, failed := s.Repository(r.Context(), r.Identity.User.ID, job.ID)
	if failed != nil {
		return failed
	}
	f.keepRepository(git, schedule)
	sub := f.submission()
	sub.RootPassword = s.RootPassword(sub, rev, f.NewPassword)
	if err == nil {
		err = translates(r)
	}
	if err == nil {
		job, err = s.Update(r.Context(), r.Identity.User.ID, job.ID, f.Revision, sub)
	}
	if err != nil {
		return j.notStored(w, r, s, f, err)
	}
	return j.stored(w, r, http.StatusOK, f, stored{job, "updated", sub.RootPassword, nil})
}

// notStored shows the form again, beside the newest revision where that is what stands in the way.
func (j *handlers) notStored(w http.ResponseWriter, r *web.Request, s *jobs.Service, f *form, err error) error {
	if apperr.KindOf(err) == apperr.FailedPrecondition {
		_, rev, err := j.newest(r, s)
		if err != nil {
			return err
		}
		f.Newest, f.Revision = rev, rev.Number
	}
	return j.reject(w, r, f, err)
}

func (j *handlers) newest(r *web.Request, s *jobs.Service) (*store.Job, *store.Revision, error) {
	job, err := s.Job(r.Context(), r.Identity.User.ID, r.Param("id"))
	if err != nil {
		return nil, nil, err
	}
	rev, err := s.Source(r.Context(), r.Identity.User.ID, job.ID, 0)
	return job, rev, err
}
