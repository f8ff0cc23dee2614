package main

import (
	"toaster.do/cgi-bin/jobs/look"
	"toaster.do/lib/engine/reconcile"
	"toaster.do/lib/jobs"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

// failureAsJSON is nil for what has not failed.
func failureAsJSON(f *failure) *look.Failure {
	if f == nil {
		return nil
	}
	out := &look.Failure{Output: string(f.Output), ExitCode: f.Exit}
	if f.Step != nil {
		out.Step, out.Line, out.Instruction = f.Step.Number, f.Step.Line, f.Step.Instruction
	}
	if f.Cause != nil {
		out.Cause, out.Message, out.Advice = f.Cause.Name, f.Cause.Message, f.Cause.Advice
	}
	return out
}

// whole is a job with all its builds and what they left.
func whole(r *web.Request, s *jobs.Service, j *store.Job) (look.Job, error) {
	out := look.JobOf(j)
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
	for _, b := range builds {
		one := look.BuildOf(b, append([]store.Artifact{}, artifacts[b.Number]...))
		one.Timeline = look.TimelineOf(reconcile.Timeline(b, phases[b.Number], s.Now()))
		out.Builds = append(out.Builds, one)
	}
	return out, nil
}
