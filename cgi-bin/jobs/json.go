package main

import (
	"time"

	"toaster.do/lib/store"
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
	Artifacts   []artifactJSON `json:"artifacts"`
}

type artifactJSON struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

func asJSON(j *store.Job, builds ...buildJSON) jobJSON {
	if builds == nil {
		builds = []buildJSON{}
	}
	return jobJSON{ID: j.ID, Name: j.Name, Target: j.Target, State: j.State(), Enabled: j.Enabled, Revision: j.Revision, Builds: builds}
}

func buildAsJSON(b *store.Build, artifacts []store.Artifact) buildJSON {
	out := buildJSON{
		Number: b.Number, Revision: b.Revision, State: b.State, Reason: b.Reason, Step: b.Step, Steps: b.Steps,
		QueuedAt: instant(b.QueuedAt), StartedAt: instant(b.StartedAt), EndedAt: instant(b.EndedAt), ExpectedEnd: instant(b.ExpectedEnd()),
		Artifacts: []artifactJSON{},
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
