package main

import (
	"net/http"

	"toaster.do/lib/app"
	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
	"toaster.do/lib/target"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// group is a heading with its targets.
type group struct {
	Name    i18n.Key
	Targets []target.Target
}

// frontPage is what the front page says of the site.
type frontPage struct {
	Groups []group
	Health engine.Health
	SignUp bool
}

// front says what this is, what can be built, and how the engine is.
func front(w http.ResponseWriter, r *web.Request) error {
	s, err := app.Service(r.Site.Config, r.Site.DB, r.Log())
	if err != nil {
		return apperr.Wrap(apperr.Unavailable, err, "The build service is not set up correctly.",
			"Administrator: the log has the details.")
	}
	targets, err := s.Targets()
	if err != nil {
		return err
	}
	page := frontPage{grouped(targets.On()), s.Health(r.Context()), r.Site.Config.Signup.Mode != "closed"}
	return r.Page(w, http.StatusOK, frontTemplate.With(page), view.View{})
}

// grouped puts targets below their headings, both in the file's order.
func grouped(targets []target.Target) (groups []group) {
	for _, t := range targets {
		if len(groups) == 0 || groups[len(groups)-1].Name != t.Group {
			groups = append(groups, group{Name: t.Group})
		}
		last := &groups[len(groups)-1]
		last.Targets = append(last.Targets, t)
	}
	return groups
}
