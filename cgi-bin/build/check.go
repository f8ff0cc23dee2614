package main

import (
	"net/http"

	"toaster.do/lib/dockerfile"
	"toaster.do/lib/i18n"
	"toaster.do/lib/jobs"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

// translates counts what translates a Dockerfile: each of it is bounded, and so is how often a person may ask for it.
func translates(r *web.Request) error {
	return r.Count(store.Limit{Key: "check:" + store.UserObject(r.Identity.User.ID), Rates: store.Checks})
}

// check says what there is to say of a Dockerfile, and stores nothing.
func (j *handlers) check(w http.ResponseWriter, r *web.Request) error {
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
	checked, err := s.Check(r.Context(), r.Identity.User, f.Revision == 0, f.submission())
	if err != nil {
		return j.reject(w, r, f, err)
	}
	if r.JSON() {
		chosen, _ := s.Target(checked.Target)
		checked.Findings = say(r, checked.Findings)
		return r.Answer(w, http.StatusOK, checkJSON(r, checked, jobs.DockerBuild(chosen, f.BuildArgs, f.Path,
			f.Context != "" || dockerfile.NeedsContext([]byte(f.Text)), checked.Secrets)))
	}
	f.Checked, f.Source = checked, newSource(r, []byte(f.Text), checked.Findings)
	return j.show(w, r, http.StatusOK, f)
}

// say puts findings into the language that ?lang= asks for.
func say(r *web.Request, findings []dockerfile.Finding) []dockerfile.Finding {
	list := []dockerfile.Finding{}
	for _, f := range findings {
		f.Message, f.Advice = i18n.Plain(r.Say(f.Message)), i18n.Plain(r.Say(f.Advice))
		list = append(list, f)
	}
	return list
}

func checkJSON(r *web.Request, c *jobs.Checked, docker string) any {
	return map[string]any{"findings": c.Findings, "steps": c.Steps, "distribution": c.Distribution,
		"codename": c.Codename, "secrets": append([]dockerfile.Secret{}, c.Secrets...),
		"target": c.Target, "docker_build": docker, "ok": c.OK, "errors": web.Problems(r, c.Wrong)}
}
