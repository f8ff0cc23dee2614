package main

import (
	"toaster.do/lib/api"
	"toaster.do/lib/i18n"
	"toaster.do/lib/jobs"
	"toaster.do/lib/store"
	"toaster.do/lib/target"
	"toaster.do/lib/web"
)

// whatNext is what to do with what a build left.
func whatNext(r *web.Request, s *jobs.Service, job *store.Job, revision int,
	artifacts []store.Artifact) (list []target.Step, err error) {
	of, _ := s.Target(job.Target) // of one that is not offered any more, files still tell what they are
	for _, a := range artifacts {
		list = append(list, of.Next(a.Path)...)
	}
	if len(list) == 0 {
		return nil, nil
	}
	login, err := s.Login(r.Context(), r.Identity.User.ID, job, revision)
	if login != "" {
		list = append(list, target.Step{Title: "Log in as root", Text: login})
	}
	return list, err
}

// nextAsJSON is whatNext for programs.
func nextAsJSON(r *web.Request, s *jobs.Service, b *store.Build, artifacts []store.Artifact) (list []api.Next,
	err error) {
	if len(artifacts) == 0 {
		return nil, nil
	}
	job, err := s.Job(r.Context(), r.Identity.User.ID, b.JobID)
	if err != nil {
		return nil, err
	}
	steps, err := whatNext(r, s, job, b.Revision, artifacts)
	for _, step := range steps {
		list = append(list, api.Next{Title: r.Say(i18n.T(step.Title)), Text: r.Say(i18n.T(step.Text)),
			Commands: step.Commands})
	}
	return list, err
}

// screenshot is the picture of the image's console that its boot check left; empty: there is none.
func screenshot(artifacts []store.Artifact) string {
	for _, a := range artifacts {
		if a.Path == "boot.png" {
			return a.Path
		}
	}
	return ""
}
