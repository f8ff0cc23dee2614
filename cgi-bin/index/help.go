package main

import (
	"net/http"

	"toaster.do/lib/dockerfile"
	"toaster.do/lib/target"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// helpPage is what the help says of the site.
type helpPage struct {
	Dockerfile, Context int64
	Entries, Jobs       int
	Address, Sample     string
	Groups              []group
	Instructions        []dockerfile.Kept
	Rules               []dockerfile.Rule
	Programs            []program // for users' own machines
	Examples            []example
}

// help says how a Dockerfile becomes an image, and how programs use the site.
func help(w http.ResponseWriter, r *web.Request) error {
	limits := r.Site.Config.Limits
	list, err := target.LoadTargets(r.Site.Config.Paths.Targets)
	if err != nil {
		return err
	}
	sample, name := dockerfile.Sample("devuan", "daedalus"), "vm_amd64_daedalus"
	if on := list.On(); len(on) > 0 {
		name = on[0].Name
		sample = dockerfile.Sample(on[0].Distribution, on[0].Codename)
	}
	examples, err := ciExamples(r.Address(), name)
	if err != nil {
		return err
	}
	page := helpPage{int64(limits.Dockerfile), int64(limits.Context), limits.ContextEntries, limits.Jobs,
		r.Address(), sample, grouped(list.On()), dockerfile.Instructions(), dockerfile.Rules(), clientPrograms(r.Site.Config.Paths.Client),
		examples}
	return r.Page(w, http.StatusOK, helpTemplate.With(page), view.View{Here: "help"})
}
