// Command jobs is the CGI program for everything below /jobs: a person's jobs, their builds, logs and artifacts. It
// answers what
// is asked for most often with a fifth less CPU time (lib/README.md has the numbers) than the program build beside it,
// to
// which it leaves the rest: with Jenkins it answers the list of jobs alone, as long as that needs nothing of the
// engine.
package main

import (
	"context"
	"os"
	"time"

	"toaster.do/cgi-bin/jobs/look"
	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/engine"
	"toaster.do/lib/engine/local"
	"toaster.do/lib/engine/reconcile"
	"toaster.do/lib/web"
)

const rest = "build"

// fresh is how old a state of Jenkins's may be in the list: a job's own page asks more often.
const fresh = 10 * time.Second

func main() {
	here := func(cfg *config.Config, route *web.Route) bool { return cfg.Engine == "local" || route.Path == "" }
	os.Exit(web.Front("jobs", look.Routes(reconciler), rest, here))
}

func reconciler(r *web.Request) (*reconcile.Reconciler, error) {
	r.Request = r.WithContext(reconcile.RequestContext(r.Context()))
	f := &reconcile.Reconciler{Store: r.Site.DB, Now: time.Now, Logger: r.Log()}
	if r.Site.Config.Engine == "local" {
		f.Engine = local.New(r.Site.DB, r.Site.Config.Paths.Builds)
	} else {
		f.Engine, f.MaxAge = elsewhere{}, fresh
	}
	return f, nil
}

// elsewhere is an engine that only the program build can ask: that takes this one's place, and answers the request from
// its beginning.
type elsewhere struct{ engine.Engine }

// Status is engine.Engine's, and all that a list asks for.
func (elsewhere) Status(context.Context, ...string) (map[string]engine.Status, error) {
	err := web.HandOver(rest)
	return nil, apperr.Wrap(apperr.Unavailable, err, "A part of this site is missing.",
		"Administrator: reinstall toaster.")
}
