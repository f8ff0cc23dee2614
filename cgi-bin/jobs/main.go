// Command jobs is the CGI program for everything below /jobs: a person's jobs, their builds, logs and artifacts. It answers what
// is asked for most often, on the engine of this host, and leaves the rest to the program build beside it, whose libraries take
// each process a millisecond to begin.
package main

import (
	"os"
	"time"

	"toaster.do/cgi-bin/jobs/look"
	"toaster.do/lib/config"
	"toaster.do/lib/engine"
	"toaster.do/lib/local"
	"toaster.do/lib/web"
)

func main() {
	here := func(cfg *config.Config) bool { return cfg.Engine == "local" }
	os.Exit(web.Front("jobs", look.Routes(follower), "build", here))
}

func follower(r *web.Request) (*engine.Follower, error) {
	r.Request = r.WithContext(engine.Budget(r.Context()))
	return &engine.Follower{Store: r.Site.DB, Engine: local.New(r.Site.DB, r.Site.Config.Paths.Builds), Now: time.Now, Logger: r.Log()}, nil
}
