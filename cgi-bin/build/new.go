package main

import (
	"net/http"
	"strconv"

	"toaster.do/lib/build"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/fault"
	"toaster.do/lib/page"
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
		if r.URL.Query().Get("sample") != "" {
			if err := j.sample(r, f); err != nil {
				return err
			}
		}
	}
	return j.show(w, r, http.StatusOK, f)
}

// sample fills the form with a Dockerfile to begin with, for the target that is asked for, or the first one.
func (j *jobs) sample(r *web.Request, f *form) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	targets, err := s.Targets()
	if err != nil {
		return err
	}
	chosen, err := targets.Find(f.Target)
	if on := targets.On(); err != nil && len(on) > 0 {
		chosen = on[0]
	}
	f.Target, f.Text = chosen.Name, dockerfile.Sample(chosen.Distribution, chosen.Codename)
	return nil
}

// add stores a new job and, if asked to, builds it.
func (j *jobs) add(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	f, err := j.read(r)
	if err == nil {
		err = translates(r)
	}
	if err != nil {
		return j.reject(w, r, f, err)
	}
	sub := f.submission()
	sub.RootPassword = s.RootPassword(sub, nil, false)
	job, err := s.Add(r.Context(), r.Who.Person, sub)
	if err != nil {
		return j.reject(w, r, f, err)
	}
	return j.stored(w, r, http.StatusCreated, f, stored{job, "added", sub.RootPassword, nil})
}

// stored is a job that was added or changed.
type stored struct {
	Job      *store.Job
	Note     string       // what its page says then
	Password string       // root's in its images, shown this once; empty: none was made
	Problem  *fault.Error // why it is not being built, although that was asked for
}

// Next is the page to go on to, below the job's.
func (d *stored) Next() string {
	if b := d.Job.Last; b != nil && d.Note == "" {
		return "/builds/" + strconv.Itoa(b.Number)
	}
	return "?note=" + d.Note
}

// stored starts a build, if the form asks for one, and answers: a program gets the job, and where it is; a browser goes to a page below it.
// A new password stands before that on a page of its own, as it can't be shown again.
func (j *jobs) stored(w http.ResponseWriter, r *web.Request, status int, f *form, d stored) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	if f.Start {
		b, _, err := s.Start(r.Context(), r.Who.Person.ID, d.Job.ID)
		switch {
		case err != nil && d.Password == "":
			return err
		case err != nil && r.JSON():
			return web.WithMembers(err, map[string]any{"root_password": d.Password})
		case err != nil:
			r.Note(err)
			d.Problem = fault.Of(err)
		default:
			d.Job.Last, d.Note = b, ""
		}
	}
	path := "/jobs/" + d.Job.ID
	if r.JSON() {
		w.Header().Set("Location", r.To(path))
		out, err := whole(r, s, d.Job)
		if err != nil {
			return err
		}
		out.RootPassword = d.Password
		return r.Answer(w, status, out)
	}
	if d.Password == "" {
		return r.Redirect(w, path+d.Next())
	}
	return r.Page(w, status, "rootpassword", page.View{Here: "jobs", Data: &d})
}

// translates counts what translates a Dockerfile: each of it is bounded, and so is how often a person may ask for it.
func translates(r *web.Request) error {
	return r.Count(store.Limit{Key: "check:" + store.PersonObject(r.Who.Person.ID), Rates: store.Checks})
}

// check says what there is to say of a Dockerfile, and stores nothing.
func (j *jobs) check(w http.ResponseWriter, r *web.Request) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	f, err := j.read(r)
	if err == nil {
		err = translates(r)
	}
	if err != nil {
		return j.reject(w, r, f, err)
	}
	checked, err := s.Check(r.Context(), f.submission())
	if err != nil {
		return j.reject(w, r, f, err)
	}
	if r.JSON() {
		chosen, _ := s.Target(checked.Target)
		checked.Findings = say(r, checked.Findings)
		return r.Answer(w, http.StatusOK, checkJSON(checked, build.DockerBuild(chosen, f.BuildArgs, f.Path, f.context != nil || dockerfile.NeedsContext([]byte(f.Text)))))
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
