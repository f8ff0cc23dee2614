package main

import (
	"encoding/json"
	"net/http"
	"strconv"

	"toaster.do/lib/api"
	"toaster.do/lib/apperr"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/i18n"
	"toaster.do/lib/jobs"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

// newForm shows the form for a new job.
func (j *handlers) newForm(w http.ResponseWriter, r *web.Request) error {
	f, err := j.fromDraft(r)
	if err != nil {
		return err
	}
	if f == nil {
		f = &form{Target: r.URL.Query().Get("target")}
		if r.URL.Query().Get("sample") != "" {
			if err := j.sample(r, f); err != nil {
				return err
			}
		}
	}
	return j.show(w, r, http.StatusOK, f)
}

// sample fills the form with a Dockerfile to begin with, for the target that is asked for, or the first one.
func (j *handlers) sample(r *web.Request, f *form) error {
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
func (j *handlers) add(w http.ResponseWriter, r *web.Request) error {
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
	if f.Upsert || on(r.URL.Query().Get("upsert")) {
		return j.upsert(w, r, s, f, sub)
	}
	sub.RootPassword = s.RootPassword(sub, nil, false)
	job, err := s.Add(r.Context(), r.Identity.User, sub)
	if err != nil {
		return j.reject(w, r, f, err)
	}
	return j.stored(w, r, http.StatusCreated, f, stored{job, "added", sub.RootPassword, nil})
}

// upsert changes the person's job of that name and target, or makes it.
func (j *handlers) upsert(w http.ResponseWriter, r *web.Request, s *jobs.Service, f *form, sub jobs.Submission) error {
	sub.KeepContext = false // what is sent is all that it is made from
	for try := 0; ; try++ {
		job, old, err := s.Named(r.Context(), r.Identity.User.ID, sub)
		if err != nil {
			return j.reject(w, r, f, err)
		}
		if old != nil && f.noKeys {
			sub.RootKeys = old.Root.Keys
		}
		if old != nil && f.noEnvironment {
			sub.Environment = old.Environment
		}
		if old != nil && f.noBaseForm {
			sub.BaseForm = old.BaseForm
		}
		if old != nil && f.Git.noSchedule {
			_, schedule, err := s.Repository(r.Context(), r.Identity.User.ID, job.ID)
			if err != nil {
				return err
			}
			sub.Schedule = string(schedule.Every)
		}
		sub.RootPassword = s.RootPassword(sub, old, f.NewPassword)
		status, note := http.StatusOK, "updated"
		if job == nil {
			status, note = http.StatusCreated, "added"
			job, err = s.AddNamed(r.Context(), r.Identity.User, sub)
		} else {
			job, err = s.Update(r.Context(), r.Identity.User.ID, job.ID, old.Number, sub)
		}
		kind := apperr.KindOf(err)
		if (kind == apperr.AlreadyExists || kind == apperr.FailedPrecondition) && try < 5 {
			continue // another one was faster
		}
		if err != nil {
			return j.reject(w, r, f, err)
		}
		return j.stored(w, r, status, f, stored{job, note, sub.RootPassword, nil})
	}
}

// stored is a job that was added or changed.
type stored struct {
	Job      *store.Job
	Note     string        // what its page says then
	Password string        // root's in its images, shown this once; empty: none was made
	Problem  *apperr.Error // why it is not being built, although that was asked for
}

// Next is the page to go on to, below the job's.
func (d *stored) Next() string {
	if b := d.Job.Last; b != nil && d.Note == "" {
		return "/builds/" + strconv.Itoa(b.Number)
	}
	return "?note=" + d.Note
}

// stored starts a build, if the form asks for one, and answers: a program gets the job, and where it is; a browser goes
// to a page below it. The job is stored, so that nothing that is wrong with the build makes that an error. A new
// password is shown on a page of its own.
func (j *handlers) stored(w http.ResponseWriter, r *web.Request, status int, f *form, d stored) error {
	s, err := j.open(r)
	if err != nil {
		return err
	}
	if f.Start {
		b, _, err := s.Start(r.Context(), r.Identity.User.ID, d.Job.ID, f.secrets)
		if err == nil {
			d.Job.Last, d.Note = b, ""
		} else {
			r.Note(err)
			d.Problem = apperr.Of(err)
		}
	}
	path := "/jobs/" + d.Job.ID
	if r.JSON() {
		w.Header().Set("Location", r.To(path))
		out, err := whole(r, s, d.Job)
		if err != nil { // the job is stored all the same
			r.Note(err)
			out = api.JobOf(d.Job).At(r.Address())
		}
		out.RootPassword = d.Password
		if p := d.Problem; p != nil {
			out.StartError = &api.Problem{Code: web.Code(p), Detail: r.Say(p.Message), Advice: r.Say(p.Advice)}
		}
		return r.Answer(w, status, out)
	}
	if d.Password == "" && d.Problem == nil {
		return r.Redirect(w, path+d.Next())
	}
	p := passed{Password: d.Password, Next: d.Next()}
	if d.Problem != nil {
		p.Problem, p.Advice = i18n.Stored(d.Problem.Message), i18n.Stored(d.Problem.Advice)
	}
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if d.Password == "" {
		return r.RedirectOnce(w, path+d.Next(), "stored:"+d.Job.ID, text)
	}
	return r.RedirectOnce(w, path+"/root-password", "stored:"+d.Job.ID, text)
}

// passed is what the page that comes next says of a job that was stored, once.
type passed struct {
	Password, Next  string
	Problem, Advice i18n.Stored
}

// Fault is why the job is not being built; nil: it is, or that wasn't asked for.
func (p *passed) Fault() *apperr.Error {
	if p == nil || i18n.Text(p.Problem).IsZero() {
		return nil
	}
	return apperr.New(apperr.FailedPrecondition, "%s", "%s", i18n.Text(p.Problem), i18n.Text(p.Advice))
}

// passedTo returns what a page of the job is to say once; nil: nothing.
func passedTo(w http.ResponseWriter, r *web.Request) (*passed, error) {
	text, err := r.FlashOf(w, "stored:"+r.Param("id"))
	if text == nil || err != nil {
		return nil, err
	}
	p := new(passed)
	return p, json.Unmarshal(text, p)
}
