package main

import (
	"toaster.do/lib/api"
	"toaster.do/lib/engine/reconcile"
	"toaster.do/lib/jobs"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

// failureAsJSON is nil for what has not failed.
func failureAsJSON(f *failure) *api.Failure {
	if f == nil {
		return nil
	}
	out := &api.Failure{Output: string(f.Output), ExitCode: f.Exit}
	if f.Step != nil {
		out.Step, out.Line, out.Instruction = f.Step.Number, f.Step.Line, f.Step.Instruction
	}
	if f.Cause != nil {
		out.Cause, out.Message, out.Advice = f.Cause.Name, f.Cause.Message.String(), f.Cause.Advice.String()
	}
	return out
}

// whole is a job with all its builds and what they left.
func whole(r *web.Request, s *jobs.Service, j *store.Job) (api.Job, error) {
	out := api.JobOf(j)
	builds, err := s.Builds(r.Context(), j.UserID, j.ID)
	if err != nil {
		return out, err
	}
	artifacts, err := db(r).JobArtifacts(r.Context(), j.UserID, j.ID)
	if err != nil {
		return out, err
	}
	phases, err := db(r).Phases(r.Context(), j.ID)
	if err != nil {
		return out, err
	}
	stored, err := s.Store.ImageLock(r.Context(), j.UserID, j.ID)
	if err != nil {
		return out, err
	}
	locked, err := imagesOf(stored)
	if err != nil {
		return out, err
	}
	out.Images = locked.asJSON(r)
	secrets, err := s.Secrets(r.Context(), j.UserID, j.ID)
	if err != nil {
		return out, err
	}
	for _, one := range secrets {
		out.Secrets = append(out.Secrets, api.Secret(one))
	}
	sources, err := db(r).Sources(r.Context(), j.UserID, j.ID)
	if err != nil {
		return out, err
	}
	git, err := repositoryOfJob(r, s, j.ID, sources[j.Revision], builds)
	if err != nil {
		return out, err
	}
	out.Repository = git.JSON(r)
	if git.Every != store.Never {
		out.Schedule = &api.Schedule{Every: git.Every, NextAt: git.NextAt, Problem: r.Say(git.Schedule.Problem)}
	}
	for _, b := range builds {
		one := api.BuildOf(b, append([]store.Artifact{}, artifacts[b.Number]...))
		one.Timeline = api.TimelineOf(reconcile.Timeline(b, phases[b.Number], s.Now()))
		one.Source = api.SourceOf(sources[b.Revision])
		out.Builds = append(out.Builds, one)
	}
	return out.At(r.Address()), nil
}
