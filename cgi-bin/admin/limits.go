package main

import (
	"net/http"
	"strconv"

	"toaster.do/lib/apperr"
	"toaster.do/lib/auth"
	"toaster.do/lib/config"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

// limit is a field of the form with a person's limits.
type limit struct {
	Name    string
	Title   i18n.Key
	Unit    string
	Value   string // empty: the configuration's
	Default string
	Fault   *apperr.Error
}

func limitsOf(cfg *config.Config, p *store.User) []limit {
	own := auth.LimitsOf(p)
	c := cfg.Limits
	return []limit{
		{Name: "jobs", Title: "Jobs", Value: own["jobs"], Default: strconv.Itoa(c.Jobs)},
		{Name: "concurrent_builds", Title: "Concurrent builds", Value: own["concurrent_builds"],
			Default: strconv.Itoa(c.ConcurrentBuilds)},
		{Name: "builds_per_day", Title: "Builds per day", Value: own["builds_per_day"],
			Default: strconv.Itoa(c.BuildsPerDay)},
		{Name: "build_minutes", Title: "Build minutes per day", Value: own["build_minutes"],
			Default: strconv.Itoa(c.Minutes)},
		{Name: "artifact_bytes", Title: "Size of artifacts", Value: own["artifact_bytes"], Default: c.ArtifactBytes.String()},
		{Name: "keep_days", Title: "Retention in days", Value: own["keep_days"], Default: strconv.Itoa(c.KeepDays)},
	}
}

// limits sets a person's limits. An empty field is the configuration's.
func (a *admin) limits(w http.ResponseWriter, r *web.Request) error {
	p, err := find(r)
	if err != nil {
		return err
	}
	in, err := r.Input()
	if err != nil {
		return err
	}
	own, err := auth.ParseLimits(func(name string) string { return in.Values[name] })
	if err == nil {
		err = db(r).SetLimits(r.Context(), p.ID, own, r.Entry("", "", ""))
	}
	switch {
	case err == nil:
		return r.Redirect(w, "/admin/people/"+strconv.FormatInt(p.ID, 10)+"?note=limits")
	case !web.Repeatable(err):
		return err
	}
	limits := limitsOf(r.Site.Config, p)
	for i := range limits {
		limits[i].Value = in.Values[limits[i].Name]
		limits[i].Fault = apperr.At(apperr.All(err), limits[i].Name)
	}
	return showUser(w, r, p, limits, err)
}
