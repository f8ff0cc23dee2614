// Command index is the CGI program for the front page and the help.
package main

import (
	"net/http"
	"os"

	"toaster.do/lib/app"
	"toaster.do/lib/apperr"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
	"toaster.do/lib/target"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

func main() { os.Exit(web.Main("index", routes)) }

var routes = []web.Route{
	{Method: http.MethodGet, Path: "", Do: front},
	{Method: http.MethodGet, Path: "/help", Do: help},
	{Method: http.MethodGet, Path: "/targets", Do: targets},
}

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

// helpPage is what the help says of the site.
type helpPage struct {
	Dockerfile, Context, Unpacked int64
	Entries, Jobs                 int
	Address, Sample               string
	Groups                        []group
	Instructions                  []dockerfile.Kept
	Rules                         []dockerfile.Rule
}

var (
	frontTemplate = view.Template[frontPage]{Name: "front"}
	helpTemplate  = view.Template[helpPage]{Name: "help"}
)

// front says what this is, what can be built, and how the engine is.
func front(w http.ResponseWriter, r *web.Request) error {
	s, err := app.Service(r.Site.Config, r.Site.DB, r.Log())
	if err != nil {
		return apperr.Wrap(apperr.Unavailable, err, "The build service is not set up correctly.", "Administrator: the log has the details.")
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

// help says how a Dockerfile becomes an image, and how programs use the site.
func help(w http.ResponseWriter, r *web.Request) error {
	limits := r.Site.Config.Limits
	list, err := target.LoadTargets(r.Site.Config.Paths.Targets)
	if err != nil {
		return err
	}
	sample := dockerfile.Sample("devuan", "daedalus")
	if on := list.On(); len(on) > 0 {
		sample = dockerfile.Sample(on[0].Distribution, on[0].Codename)
	}
	page := helpPage{int64(limits.Dockerfile), int64(limits.Context), int64(limits.ContextUnpacked),
		limits.ContextEntries, limits.Jobs, r.Address(), sample, grouped(list.On()), dockerfile.Instructions(),
		dockerfile.Rules()}
	return r.Page(w, http.StatusOK, helpTemplate.With(page), view.View{Here: "help"})
}
