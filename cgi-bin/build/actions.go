package main

import (
	"net/http"
	"strconv"

	"toaster.do/lib/api"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

// start asks for a build, with the secrets that are sent. While one is queued it leads to that one, and says so.
func (j *handlers) start(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	in, err := r.Input()
	if err != nil {
		return err
	}
	id := r.Param("id")
	b, already, err := s.Start(r.Context(), r.Identity.User.ID, id, secretsOf(in))
	if err != nil {
		return err
	}
	path := "/jobs/" + id + "/builds/" + strconv.Itoa(b.Number)
	if r.JSON() {
		w.Header().Set("Location", r.To(path))
		return r.Answer(w, http.StatusAccepted, struct {
			api.Build
			Already bool `json:"already"`
		}{api.BuildOf(b, []store.Artifact{}).At(r.Address(), id), already})
	}
	if already {
		path += "?note=already"
	}
	return r.Redirect(w, path)
}

func (j *handlers) stop(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	if err := s.Stop(r.Context(), r.Identity.User.ID, r.Param("id")); err != nil {
		return err
	}
	return j.done(w, r, http.StatusAccepted, "stopped")
}

func (j *handlers) enable(w http.ResponseWriter, r *web.Request) error {
	return j.setEnabled(w, r, true, "enabled")
}

func (j *handlers) disable(w http.ResponseWriter, r *web.Request) error {
	return j.setEnabled(w, r, false, "disabled")
}

func (j *handlers) setEnabled(w http.ResponseWriter, r *web.Request, on bool, note string) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	if err := s.SetEnabled(r.Context(), r.Identity.User.ID, r.Param("id"), on); err != nil {
		return err
	}
	return j.done(w, r, http.StatusOK, note)
}

// done answers after a change: a program gets the job, a browser goes to its page.
func (j *handlers) done(w http.ResponseWriter, r *web.Request, status int, note string) error {
	id := r.Param("id")
	if !r.JSON() {
		return r.Redirect(w, "/jobs/"+id+"?note="+note)
	}
	s, err := j.open(r)
	if err != nil {
		return err
	}
	job, err := s.Job(r.Context(), r.Identity.User.ID, id)
	if err != nil {
		return err
	}
	return answer(w, r, s, status, job)
}
