package main

import (
	"time"

	"toaster.do/lib/build"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

// shortHistory is how many builds a job's page lists unless it is asked for all of them.
const shortHistory = 20

// history is a job's builds as its page lists them.
type history struct {
	Builds []past
	Total  int
	Keep   int // how many of the newest are kept with log and files
}

// past is a build of the history.
type past struct {
	*store.Build
	Image    *store.Artifact // nil: it left none
	Previous int             // the build before; 0: none
	Gone     bool            // its log and files are not kept any more
	Until    time.Time       // when they go because of their age; zero: never, or it has none
}

// historyOf lists builds, which are newest first.
func historyOf(r *web.Request, s *build.Service, job *store.Job, builds []*store.Build) (history, error) {
	h := history{Total: len(builds), Keep: s.Limits.Keep}
	artifacts, err := s.Store.JobArtifacts(r.Context(), job.PersonID, job.ID)
	if err != nil {
		return h, err
	}
	ended := 0
	for i, b := range builds {
		p := past{Build: b, Image: build.ImageOf(job, artifacts[b.Number])}
		if i+1 < len(builds) {
			p.Previous = builds[i+1].Number
		}
		if !b.Open() && b.EngineNumber > 0 {
			p.Gone = ended >= h.Keep || !b.ExpiredAt.IsZero()
			p.Until = keptUntil(r, s, b)
			ended++
		}
		if i < shortHistory || r.URL.Query().Get("builds") == "all" {
			h.Builds = append(h.Builds, p)
		}
	}
	return h, nil
}
