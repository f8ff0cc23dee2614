package main

import (
	"time"

	"toaster.do/lib/jobs"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

// shortHistory is how many builds a job's page lists unless it is asked for all of them.
const shortHistory = 20

// history is a job's builds as its page lists them.
type history struct {
	Builds []past
	Total  int
	Keep   int // how many of each kind are kept with log and files
}

// past is a build of the history.
type past struct {
	*store.Build
	Image    *store.Artifact // nil: it left none
	Previous int             // the build before; 0: none
	Gone     bool            // its log and files are not kept any more
	Until    time.Time       // when they go because of their age; zero: that isn't limited, or it has none
}

// historyOf lists builds, which are newest first.
func historyOf(r *web.Request, s *jobs.Service, job *store.Job, builds []*store.Build) (history, error) {
	h := history{Total: len(builds), Keep: s.Limits.Keep}
	artifacts, err := db(r).JobArtifacts(r.Context(), job.UserID, job.ID)
	if err != nil {
		return h, err
	}
	stays := store.Stays(builds, h.Keep, s.Limits.Builds.For(r.Identity.User).KeepDays)
	for i, b := range builds {
		p := past{Build: b, Image: jobs.ImageOf(job, artifacts[b.Number]), Gone: !b.ExpiredAt.IsZero(),
			Until: stays[b.Number].Until}
		if i+1 < len(builds) {
			p.Previous = builds[i+1].Number
		}
		if i < shortHistory || r.URL.Query().Get("builds") == "all" {
			h.Builds = append(h.Builds, p)
		}
	}
	return h, nil
}
