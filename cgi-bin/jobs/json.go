package main

import (
	"time"

	"toaster.do/lib/build"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

// The names in JSON are a contract with programs.
type jobJSON struct {
	ID       string      `json:"id"`
	Name     string      `json:"name"`
	Target   string      `json:"target"`
	State    string      `json:"state"`
	Enabled  bool        `json:"enabled"`
	Revision int         `json:"revision"`
	Builds   []buildJSON `json:"builds"`

	RootPassword string `json:"root_password,omitempty"` // a new one, in the answer to what made it
}

type buildJSON struct {
	Number      int            `json:"number"`
	Revision    int            `json:"revision"`
	State       string         `json:"state"`
	Reason      string         `json:"reason,omitempty"`
	QueuedAt    *time.Time     `json:"queued_at"`
	StartedAt   *time.Time     `json:"started_at"`
	EndedAt     *time.Time     `json:"ended_at"`
	Step        int            `json:"step"`
	Steps       int            `json:"steps"`
	ExpectedEnd *time.Time     `json:"expected_end"`
	Artifacts   []artifactJSON `json:"artifacts,omitzero"` // left out in the list of jobs
	Failure     *failureJSON   `json:"failure,omitempty"`  // of one build that has failed, where it is asked for alone
}

// failureJSON is why a build failed. What is unknown is left out.
type failureJSON struct {
	Step        int    `json:"step,omitempty"`
	Line        int    `json:"line,omitempty"` // in the Dockerfile
	Instruction string `json:"instruction,omitempty"`
	Output      string `json:"output"`          // the last lines that the step printed
	Cause       string `json:"cause,omitempty"` // its name: no-package, network, disk-full, …
	Message     string `json:"message,omitempty"`
	Advice      string `json:"advice,omitempty"`
}

func failureAsJSON(f *failure) *failureJSON {
	if f == nil {
		return nil
	}
	out := &failureJSON{Output: string(f.Output)}
	if f.Step != nil {
		out.Step, out.Line, out.Instruction = f.Step.Number, f.Step.Line, f.Step.Instruction
	}
	if f.Cause != nil {
		out.Cause, out.Message, out.Advice = f.Cause.Name, f.Cause.Message, f.Cause.Advice
	}
	return out
}

type artifactJSON struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// whole is a job with all its builds and what they left.
func whole(r *web.Request, s *build.Service, j *store.Job) (jobJSON, error) {
	out := asJSON(j)
	builds, err := s.Builds(r.Context(), j.PersonID, j.ID)
	if err != nil {
		return out, err
	}
	artifacts, err := s.Store.JobArtifacts(r.Context(), j.PersonID, j.ID)
	if err != nil {
		return out, err
	}
	for _, b := range builds {
		out.Builds = append(out.Builds, buildAsJSON(b, append([]store.Artifact{}, artifacts[b.Number]...)))
	}
	return out, nil
}

// brief is a job with its newest build, for the list.
func brief(j *store.Job) jobJSON {
	out := asJSON(j)
	if j.Last != nil {
		out.Builds = append(out.Builds, buildAsJSON(j.Last, nil))
	}
	return out
}

func asJSON(j *store.Job) jobJSON {
	return jobJSON{ID: j.ID, Name: j.Name, Target: j.Target, State: j.State(), Enabled: j.Enabled, Revision: j.Revision, Builds: []buildJSON{}}
}

func buildAsJSON(b *store.Build, artifacts []store.Artifact) buildJSON {
	out := buildJSON{
		Number: b.Number, Revision: b.Revision, State: b.State, Reason: b.Why(), Step: b.Step, Steps: b.Steps,
		QueuedAt: instant(b.QueuedAt), StartedAt: instant(b.StartedAt), EndedAt: instant(b.EndedAt), ExpectedEnd: instant(b.ExpectedEnd()),
	}
	if artifacts != nil {
		out.Artifacts = []artifactJSON{}
	}
	for _, a := range artifacts {
		out.Artifacts = append(out.Artifacts, artifactJSON(a))
	}
	return out
}

// instant is null in JSON for a time that hasn't come.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
