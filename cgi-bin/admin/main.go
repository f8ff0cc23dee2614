// Command admin is the CGI program for everything below /admin: what administrators see and do.
package main

import (
	"context"
	"net/http"
	"os"
	"sync"
	"time"

	"toaster.do/lib/app"
	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/i18n"
	"toaster.do/lib/jobs"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

func main() { os.Exit(web.Main("admin", routes())) }

func routes() []web.Route {
	a := &admin{}
	const get, post = http.MethodGet, http.MethodPost
	return []web.Route{
		{Method: get, Path: "", Access: web.Admin, Do: a.start},
		{Method: get, Path: "/people", Access: web.Admin, Do: a.users},
		{Method: get, Path: "/people/{id}", Access: web.Admin, Do: a.user},
		{Method: post, Path: "/people/{id}/activate", Access: web.Admin, Do: a.activate, Again: "/people/{id}"},
		{Method: post, Path: "/people/{id}/suspend", Access: web.Admin, Do: a.suspend, Again: "/people/{id}"},
		{Method: post, Path: "/people/{id}/role", Access: web.Admin, Do: a.role, Fields: fields("role"),
			Again: "/people/{id}"},
		{Method: post, Path: "/people/{id}/limits", Access: web.Admin, Do: a.limits,
			Fields: fields("jobs", "concurrent_builds", "builds_per_day", "build_minutes", "artifact_bytes", "keep_days"),
			Again:  "/people/{id}"},
		{Method: post, Path: "/people/{id}/signout", Access: web.Admin, Do: a.signOut, Fields: fields("tokens"),
			Again: "/people/{id}"},
		{Method: post, Path: "/people/{id}/factor", Access: web.Admin, Do: a.resetFactor, Again: "/people/{id}"},
		{Method: get, Path: "/people/{id}/remove", Access: web.Admin, Do: a.removeUserForm},
		{Method: post, Path: "/people/{id}/remove", Access: web.Admin, Do: a.removeUser, Again: "/people/{id}/remove"},
		{Method: get, Path: "/jobs", Access: web.Admin, Do: a.jobs},
		{Method: get, Path: "/jobs/{id}", Access: web.Admin, Do: a.job},
		{Method: post, Path: "/jobs/{id}/stop", Access: web.Admin, Do: a.stop, Again: "/jobs/{id}"},
		{Method: get, Path: "/jobs/{id}/remove", Access: web.Admin, Do: a.removeJobForm},
		{Method: post, Path: "/jobs/{id}/remove", Access: web.Admin, Do: a.removeJob, Again: "/jobs/{id}/remove"},
		{Method: get, Path: "/health", Access: web.Admin, Do: a.health},
		{Method: get, Path: "/audit", Access: web.Admin, Do: a.audit},
		{Method: get, Path: "/metrics", Access: web.Metrics, Do: a.metrics},
	}
}

func fields(names ...string) func(*config.Config) web.Fields {
	return func(*config.Config) web.Fields {
		f := web.Fields{}
		for _, name := range names {
			f[name] = web.Limit{Most: 100}
		}
		return f
	}
}

// admin answers the requests. The service is made by the first that needs it, and again when the site is another.
type admin struct {
	mu      sync.Mutex
	site    *web.Site
	service *jobs.Service
}

func (a *admin) open(r *web.Request) (*jobs.Service, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.service == nil || a.site != r.Site {
		s, err := app.Service(r.Site.Config, r.Site.DB, r.Log())
		if err != nil {
			return nil, apperr.Wrap(apperr.Unavailable, err, "The build service is not set up correctly.",
				"Administrator: the log has the details.")
		}
		a.site, a.service = r.Site, s
	}
	return a.service, nil
}

// start leads to the first of the pages.
func (a *admin) start(w http.ResponseWriter, r *web.Request) error {
	return r.Redirect(w, "/admin/people")
}

// notices are what a page can say has just been done: the page before names one in its redirect.
var notices = map[string]i18n.Key{
	"activated":  "The account is active.",
	"suspended":  "The account is suspended. Its sessions and tokens are revoked, and its builds are being stopped.",
	"role":       "The role is changed. The user has to log in again.",
	"limits":     "The limits are saved.",
	"factor":     "Two-factor authentication is disabled. The user is notified by email, if this site sends emails.",
	"signedout":  "All sessions of the user have ended.",
	"jobstopped": "The builds of the job are being stopped.",
	"jobremoved": "The job is deleted, with its builds, logs and artifacts.",
	"removed":    "The account and its data are deleted.",
}

func notice(r *web.Request) i18n.Key { return notices[r.URL.Query().Get("note")] }

// pageStore is what these pages need of the database themselves.
type pageStore interface {
	AuditEntries(ctx context.Context, q store.AuditQuery) (found []store.AuditEntry, err error)
	Builds(ctx context.Context, owner int64, id string) (builds []*store.Build, err error)
	Check(ctx context.Context) (wrong []string, err error)
	FindJobs(ctx context.Context, q store.JobQuery) (list []store.OwnedJob, found int, err error)
	FindUsers(ctx context.Context, q store.UserQuery) (list []store.UserRow, found int, err error)
	Job(ctx context.Context, owner int64, id string) (j *store.Job, err error)
	JobOwner(ctx context.Context, id string) (*store.User, error)
	LogOut(ctx context.Context, id int64, tokens bool, e store.AuditEntry) error
	SetLimits(ctx context.Context, id int64, own store.LimitOverrides, e store.AuditEntry) error
	SetRole(ctx context.Context, id int64, role store.Role, e store.AuditEntry) error
	Usage(ctx context.Context, user int64, now time.Time) (u store.Usage, err error)
	UserByID(ctx context.Context, id int64) (*store.User, error)
}

func db(r *web.Request) pageStore { return r.Site.DB }
