// Package look is what people do with jobs most often: look at the list, follow a log, fetch what a build left. It needs neither
// the translator of Dockerfiles nor a library for the engine.
package look

import (
	"net/http"
	"strconv"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine/reconcile"
	"toaster.do/lib/web"
)

// Routes are the routes of looking, below /jobs. open is asked by each request for what it looks through.
func Routes(open func(*web.Request) (*reconcile.Reconciler, error)) []web.Route {
	d := &desk{open}
	return []web.Route{
		{Method: http.MethodGet, Path: "", Access: web.Person, Do: d.list},
		{Method: http.MethodGet, Path: "/{id}/builds/{number}/log", Access: web.Person, Do: d.log},
		{Method: http.MethodGet, Path: "/{id}/builds/{number}/artifacts/{path...}", Access: web.Person, Do: d.artifact},
	}
}

type desk struct {
	open func(*web.Request) (*reconcile.Reconciler, error)
}

// Number is the number of the build that the path names. “latest” is the newest, where good is true that of those that
// succeeded.
func Number(r *web.Request, s *reconcile.Reconciler, good bool) (int, error) {
	if r.Param("number") == "latest" {
		return s.Store.LatestBuild(r.Context(), r.Who.Person.ID, r.Param("id"), good)
	}
	n, err := strconv.Atoi(r.Param("number"))
	if err != nil || n < 1 {
		return 0, apperr.New(apperr.NotFound, "There is no such build.", "See the job's page for the builds that it has.")
	}
	return n, nil
}

// notices are what a page can say has just been done: the page before names one in its redirect.
var notices = map[string]string{
	"already":  "A build of this job was queued already: this is it.",
	"stopped":  "The build is being stopped.",
	"enabled":  "The job is switched on.",
	"disabled": "The job is switched off: it starts no builds.",
	"updated":  "The change is stored as a new revision. The next build is made from it.",
	"added":    "The job is stored. Build it when you like.",
	"badge":    "Stored.",
	"kept":     "This build is kept, with log and files.",
	"unkept":   "This build is kept no longer than others are.",
	"removed":  "The job is removed, with its builds, logs and artifacts.",
}

// Notice is what the page before has done, for a page to say.
func Notice(r *web.Request) string { return notices[r.URL.Query().Get("note")] }
