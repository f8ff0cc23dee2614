// Package look is what people do with jobs most often: look at the list, follow a log, fetch what a build left. It
// needs neither the translator of Dockerfiles nor a library for the engine.
package look

import (
	"net/http"
	"strconv"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine/reconcile"
	"toaster.do/lib/i18n"
	"toaster.do/lib/web"
)

// Routes are the routes of looking, below /jobs. open is asked by each request for what it looks through.
func Routes(open func(*web.Request) (*reconcile.Reconciler, error)) []web.Route {
	d := &handlers{open}
	return []web.Route{
		{Method: http.MethodGet, Path: "", Access: web.User, Do: d.list},
		{Method: http.MethodGet, Path: "/{id}/builds/{number}/log", Access: web.User, Do: d.log},
		{Method: http.MethodGet, Path: "/{id}/builds/{number}/artifacts/{path...}", Access: web.User, Do: d.artifact},
	}
}

type handlers struct {
	open func(*web.Request) (*reconcile.Reconciler, error)
}

// Number is the number of the build that the path names. “latest” is the newest, where good is true that of those that
// succeeded.
func Number(r *web.Request, s *reconcile.Reconciler, good bool) (int, error) {
	if r.Param("number") == "latest" {
		return r.Site.DB.LatestBuild(r.Context(), r.Identity.User.ID, r.Param("id"), good)
	}
	n, err := strconv.Atoi(r.Param("number"))
	if err != nil || n < 1 {
		return 0, apperr.New(apperr.NotFound, "This build does not exist.", "See the page of the job for its builds.")
	}
	return n, nil
}

// notices are what a page can say has just been done: the page before names one in its redirect.
var notices = map[string]i18n.Key{
	"already":  "This job already has a queued build. This is the one.",
	"stopped":  "The build is being stopped.",
	"enabled":  "The job is enabled.",
	"disabled": "The job is disabled. It starts no builds.",
	"updated":  "Your changes are saved as a new revision. The next build uses it.",
	"added":    "The job is saved. Select “Build image” to build it.",
	"badge":    "Saved.",
	"kept":     "The build is kept permanently, with its log and files.",
	"unkept":   "The build is no longer kept permanently.",
	"locked":   "The images have changed. They are saved as a new revision. The next build uses them.",
	"same":     "The images are looked up. None has changed.",
	"fetching": "The repository is being fetched. Reload this page to see what it contains.",
	"removed":  "The job is deleted, with its builds, logs and artifacts.",
}

// Notice is what the page before has done, for a page to say.
func Notice(r *web.Request) i18n.Key { return notices[r.URL.Query().Get("note")] }
