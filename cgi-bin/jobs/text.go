package main

import (
	"net/http"
	"strconv"

	"toaster.do/lib/fault"
	"toaster.do/lib/web"
)

// dockerfile, blend and script show what a revision of a job is, or becomes, as plain text.

func (j *jobs) dockerfile(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	number, err := revision(r)
	if err != nil {
		return err
	}
	rev, err := s.Source(r.Context(), r.Who.Person.ID, r.Param("id"), number)
	if err != nil {
		return err
	}
	return r.Text(w, rev.Dockerfile, "Dockerfile")
}

func (j *jobs) blend(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	number, err := revision(r)
	if err != nil {
		return err
	}
	text, err := s.Blend(r.Context(), r.Who.Person.ID, r.Param("id"), number)
	if err != nil {
		return err
	}
	return r.Text(w, text, r.Param("id")+".blend")
}

func (j *jobs) script(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	number, err := revision(r)
	if err != nil {
		return err
	}
	text, err := s.Script(r.Context(), r.Who.Person.ID, r.Param("id"), number)
	if err != nil {
		return err
	}
	return r.Text(w, text, r.Param("id")+".sh")
}

// revision is the one that ?revision= asks for; 0 is the newest.
func revision(r *web.Request) (int, error) {
	asked := r.URL.Query().Get("revision")
	if asked == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(asked)
	if err != nil || n < 1 {
		return 0, fault.New(fault.NotFound, "There is no such revision.", "See the job's page.")
	}
	return n, nil
}
