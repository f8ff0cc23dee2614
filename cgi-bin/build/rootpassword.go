package main

import (
	"net/http"

	"toaster.do/lib/store"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// passwordPage is where root's new password is shown.
type passwordPage struct {
	Job *store.Job
	*passed
}

var passwordTemplate = view.Template[passwordPage]{Name: "rootpassword"}

// rootPassword shows root's new password once.
func (j *handlers) rootPassword(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	job, err := s.Job(r.Context(), r.Identity.User.ID, r.Param("id"))
	if err != nil {
		return err
	}
	p, err := passedTo(w, r)
	if err != nil {
		return err
	}
	if p == nil {
		p = &passed{}
	}
	return r.Page(w, http.StatusOK, passwordTemplate.With(passwordPage{job, p}), view.View{Here: "jobs"})
}
