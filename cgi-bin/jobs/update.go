package main

import (
	"net/http"
	"strconv"

	"toaster.do/lib/build"
	"toaster.do/lib/fault"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

// updateForm shows the form that changes a job's sources, filled with the newest revision.
func (j *jobs) updateForm(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	job, rev, err := j.newest(r, s)
	if err != nil {
		return err
	}
	f, err := j.fromDraft(r)
	if err != nil {
		return err
	}
	if f == nil {
		f = &form{Revision: rev.Number, Name: job.Name, Text: string(rev.Dockerfile), BuildArgs: rev.BuildArgs, Start: true}
	}
	f.Job, f.Target, f.HasContext = job, job.Target, rev.Context != nil
	return j.show(w, r, http.StatusOK, f)
}

// update stores a new revision. When somebody stored one meanwhile, the form shows both.
func (j *jobs) update(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	job, rev, err := j.newest(r, s)
	if err != nil {
		return err
	}
	f, err := j.read(r)
	f.Job, f.Target, f.HasContext = job, job.Target, rev.Context != nil
	if f.Revision == 0 && r.JSON() {
		f.Revision = rev.Number
	}
	if err == nil {
		job, err = s.Update(r.Context(), r.Who.Person.ID, job.ID, f.Revision, f.submission())
	}
	if err != nil {
		return j.notStored(w, r, s, f, err)
	}
	path, next := "/jobs/"+job.ID, "?note=updated"
	if f.Start {
		b, _, err := s.Start(r.Context(), r.Who.Person.ID, job.ID)
		if err != nil {
			return err
		}
		job.Last, next = b, "/builds/"+strconv.Itoa(b.Number)
	}
	return j.stored(w, r, http.StatusOK, path, next, job)
}

// notStored shows the form again, beside the newest revision where that is what stands in the way.
func (j *jobs) notStored(w http.ResponseWriter, r *web.Request, s *build.Service, f *form, err error) error {
	if fault.KindOf(err) == fault.Conflict {
		_, rev, err := j.newest(r, s)
		if err != nil {
			return err
		}
		f.Newest, f.Revision = rev, rev.Number
	}
	return j.reject(w, r, f, err)
}

func (j *jobs) newest(r *web.Request, s *build.Service) (*store.Job, *store.Revision, error) {
	job, err := s.Job(r.Context(), r.Who.Person.ID, r.Param("id"))
	if err != nil {
		return nil, nil, err
	}
	rev, err := s.Source(r.Context(), r.Who.Person.ID, job.ID, 0)
	return job, rev, err
}
