package main

import (
	"net/http"

	"toaster.do/lib/store"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

var removeTemplate = view.Template[*store.Job]{Name: "remove"}

// removeForm asks whether the job shall really go.
func (j *handlers) removeForm(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	job, err := s.Job(r.Context(), r.Identity.User.ID, r.Param("id"))
	if err != nil {
		return err
	}
	return r.Page(w, http.StatusOK, removeTemplate.With(job), view.View{Here: "jobs"})
}

func (j *handlers) remove(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	id := r.Param("id")
	if err := s.Remove(r.Context(), r.Identity.User.ID, id, r.Entry("job.remove", "job "+id, "")); err != nil {
		return err
	}
	if r.JSON() {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return r.Redirect(w, "/jobs?note=removed")
}
