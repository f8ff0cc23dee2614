package main

import (
	"net/http"
	"strconv"

	"toaster.do/lib/build"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

// newForm shows the form for a new job.
func (j *jobs) newForm(w http.ResponseWriter, r *web.Request) error {
	f, err := j.fromDraft(r)
	if err != nil {
		return err
	}
	if f == nil {
		f = &form{Target: r.URL.Query().Get("target"), Start: true}
	}
	return j.show(w, r, http.StatusOK, f)
}

// add stores a new job and, if asked to, builds it.
func (j *jobs) add(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	f, err := j.read(r)
	if err != nil {
		return j.reject(w, r, f, err)
	}
	job, err := s.Add(r.Context(), r.Who.Person, f.submission())
	if err != nil {
		return j.reject(w, r, f, err)
	}
	path := "/jobs/" + job.ID
	if !f.Start {
		return j.stored(w, r, http.StatusCreated, path, "?note=added", job)
	}
	b, _, err := s.Start(r.Context(), r.Who.Person.ID, job.ID)
	if err != nil {
		return err
	}
	job.Last = b
	return j.stored(w, r, http.StatusCreated, path, "/builds/"+strconv.Itoa(b.Number), job)
}

// stored answers when a job was: a program gets it, and where it is; a browser goes to a page below it.
func (j *jobs) stored(w http.ResponseWriter, r *web.Request, status int, path, next string, job *store.Job) error {
	if !r.JSON() {
		return r.Redirect(w, path+next)
	}
	w.Header().Set("Location", r.To(path))
	s, err := j.open(r)
	if err != nil {
		return err
	}
	return answer(w, r, s, status, job)
}

// check says what there is to say of a Dockerfile, and stores nothing.
func (j *jobs) check(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	f, err := j.read(r)
	if err != nil {
		return j.reject(w, r, f, err)
	}
	checked, err := s.Check(f.submission())
	if err != nil {
		return j.reject(w, r, f, err)
	}
	if r.JSON() {
		chosen, _ := s.Target(checked.Target)
		checked.Findings = say(r, checked.Findings)
		return r.Answer(w, http.StatusOK, checkJSON(checked, build.DockerBuild(chosen, f.BuildArgs, f.context != nil)))
	}
	f.Checked, f.Source = checked, newSource(r, []byte(f.Text), checked.Findings)
	return j.show(w, r, http.StatusOK, f)
}

// say puts findings into the language that ?lang= asks for.
func say(r *web.Request, findings []dockerfile.Finding) []dockerfile.Finding {
	list := []dockerfile.Finding{}
	for _, f := range findings {
		f.Message, f.Advice = r.Say(f.Message), r.Say(f.Advice)
		list = append(list, f)
	}
	return list
}

func checkJSON(c *build.Checked, docker string) any {
	return map[string]any{"findings": c.Findings, "steps": c.Steps, "distribution": c.Distribution, "codename": c.Codename, "target": c.Target, "docker_build": docker}
}
