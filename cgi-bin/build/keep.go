package main

import (
	"net/http"
	"strconv"

	"toaster.do/cgi-bin/jobs/look"
	"toaster.do/lib/api"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

// keep has log and files of a build kept for good.
func (j *handlers) keep(w http.ResponseWriter, r *web.Request) error {
	return j.setKept(w, r, true, "kept")
}

// unkeep lets them go again, when their time has come.
func (j *handlers) unkeep(w http.ResponseWriter, r *web.Request) error {
	return j.setKept(w, r, false, "unkept")
}

func (j *handlers) setKept(w http.ResponseWriter, r *web.Request, kept bool, note string) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	number, err := look.Number(r, &s.Reconciler, false)
	if err != nil {
		return err
	}
	ctx, owner, id := r.Context(), r.Identity.User.ID, r.Param("id")
	b, err := s.Keep(ctx, owner, id, number, kept)
	if err != nil {
		return err
	}
	if !r.JSON() {
		return r.Redirect(w, "/jobs/"+id+"/builds/"+strconv.Itoa(number)+"?note="+note)
	}
	artifacts, err := s.Artifacts(ctx, owner, id, number)
	if err != nil {
		return err
	}
	return r.Answer(w, http.StatusOK, api.BuildOf(b, append([]store.Artifact{}, artifacts...)).At(r.Address(), b.JobID))
}
