package doctor

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"

	"toaster.do/lib/app"
	"toaster.do/lib/doctor/check"
	"toaster.do/lib/engine/local"
	"toaster.do/lib/store"
	"toaster.do/lib/target"
)

// CheckEngine looks at the engine that the configuration names, and at what it is to build. For a Jenkins it makes a
// job there, and deletes it again.
func (s Site) CheckEngine(ctx context.Context, logger *slog.Logger) []check.Result {
	targets, err := target.LoadTargets(s.Paths.Targets)
	if err != nil {
		fix := "Correct " + s.Paths.Targets + "."
		switch {
		case errors.Is(err, fs.ErrNotExist):
			fix = "toasterctl init"
		case errors.Is(err, fs.ErrPermission):
			fix = "Check the permissions."
		}
		return []check.Result{failed("targets", err, fix)}
	}
	if s.Config.Engine == "jenkins" {
		e, err := app.Jenkins(s.Config, logger, nil)
		if err != nil {
			return []check.Result{failed("Jenkins", err, "See [jenkins] in "+s.Path+".")}
		}
		var labels []string
		for _, t := range targets.On() {
			labels = append(labels, t.Label)
		}
		return append(e.Doctor(ctx, labels), s.agentContexts()...)
	}
	db, err := store.Open(ctx, s.Paths.Database)
	if err != nil {
		return []check.Result{check.Skip("runner of the local engine", "the database can't be opened.")}
	}
	defer db.Close()
	r := Report{site: s, Engine: local.New(db, s.Paths.Builds).Health(ctx)}
	return []check.Result{r.engineCheck().Result()}
}

// agentContexts says so where agents can't get large build contexts; whether they reach the site, their builds look.
func (s Site) agentContexts() []check.Result {
	if s.Config.Site.URL != "" {
		return nil
	}
	return []check.Result{check.Warn("build contexts on Jenkins",
		"site.url is not set: jobs with a build context of over 1 MiB are rejected, because agents can't get it.",
		"Set url in [site] to the address at which the agents reach this site.")}
}
