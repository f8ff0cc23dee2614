package main

import (
	"net/http"

	"toaster.do/lib/store"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// jobPage is one job as its page shows it.
type jobPage struct {
	Tab    string
	Job    *store.Job
	Owner  *store.User
	Builds []*store.Build
	Open   bool // a build is queued or running
}

func (a *admin) findJob(r *web.Request) (v jobPage, err error) {
	v.Tab = "jobs"
	if v.Owner, err = db(r).JobOwner(r.Context(), r.Param("id")); err != nil {
		return v, err
	}
	if v.Job, err = db(r).Job(r.Context(), v.Owner.ID, r.Param("id")); err != nil {
		return v, err
	}
	if v.Builds, err = db(r).Builds(r.Context(), v.Owner.ID, v.Job.ID); err != nil {
		return v, err
	}
	for _, b := range v.Builds {
		v.Open = v.Open || b.Open()
	}
	return v, nil
}

// job shows one job and its builds. What it is made from, and what it printed, stays its owner's.
func (a *admin) job(w http.ResponseWriter, r *web.Request) error {
	v, err := a.findJob(r)
	if err != nil {
		return err
	}
	return r.Page(w, http.StatusOK, jobTemplate.With(v), view.View{Here: "admin", Notice: notice(r)})
}

func (a *admin) stop(w http.ResponseWriter, r *web.Request) error {
	s, err := a.open(r)
	if err != nil {
		return err
	}
	v, err := a.findJob(r)
	if err != nil {
		return err
	}
	if err := s.StopFor(r.Context(), v.Owner.ID, v.Job.ID, r.Entry("", "", "")); err != nil {
		return err
	}
	return r.Redirect(w, "/admin/jobs/"+v.Job.ID+"?note=jobstopped")
}

func (a *admin) removeJobForm(w http.ResponseWriter, r *web.Request) error {
	v, err := a.findJob(r)
	if err != nil {
		return err
	}
	return r.Page(w, http.StatusOK, removeJobTemplate.With(v), view.View{Here: "admin"})
}

func (a *admin) removeJob(w http.ResponseWriter, r *web.Request) error {
	s, err := a.open(r)
	if err != nil {
		return err
	}
	v, err := a.findJob(r)
	if err != nil {
		return err
	}
	by := r.Entry("job.remove", "job "+v.Job.ID, store.UserObject(v.Owner.ID))
	if err := s.Remove(r.Context(), v.Owner.ID, v.Job.ID, by); err != nil {
		return err
	}
	return r.Redirect(w, "/admin/jobs?note=jobremoved")
}
