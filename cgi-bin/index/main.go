// Command index is the CGI program for the front page and the help.
package main

import (
	"net/http"
	"os"

	"toaster.do/lib/dockerfile"
	"toaster.do/lib/engine"
	"toaster.do/lib/fault"
	"toaster.do/lib/page"
	"toaster.do/lib/sdk"
	"toaster.do/lib/site"
	"toaster.do/lib/web"
)

func main() { os.Exit(web.Main("index", routes)) }

var routes = []web.Route{
	{Method: http.MethodGet, Path: "", Do: front},
	{Method: http.MethodGet, Path: "/help", Do: help},
}

// group is a heading with its targets.
type group struct {
	Name    string
	Targets []sdk.Target
}

// front says what this is, what can be built, and how the engine is.
func front(w http.ResponseWriter, r *web.Request) error {
	s, err := site.Service(r.Site.Config, r.Site.DB, r.Log())
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "The build service is not set up well.", "Administrator: the log says what is wrong.")
	}
	targets, err := s.Targets()
	if err != nil {
		return err
	}
	var groups []group
	for _, t := range targets.On() {
		if len(groups) == 0 || groups[len(groups)-1].Name != t.Group {
			groups = append(groups, group{Name: t.Group})
		}
		last := &groups[len(groups)-1]
		last.Targets = append(last.Targets, t)
	}
	return r.Page(w, http.StatusOK, "front", page.View{Data: struct {
		Groups []group
		Health engine.Health
		SignUp bool
	}{groups, s.Health(r.Context()), r.Site.Config.Signup.Mode != "closed"}})
}

// help says how a Dockerfile becomes an image, and how programs use the site.
func help(w http.ResponseWriter, r *web.Request) error {
	limits := r.Site.Config.Limits
	return r.Page(w, http.StatusOK, "help", page.View{Here: "help", Data: struct {
		Dockerfile, Context, Unpacked int64
		Entries, Jobs                 int
		Address                       string
		Instructions                  []dockerfile.Kept
		Rules                         []dockerfile.Rule
	}{int64(limits.Dockerfile), int64(limits.Context), int64(limits.ContextUnpacked), limits.ContextEntries, limits.Jobs, r.Address(), dockerfile.Instructions(), dockerfile.Rules()}})
}
