// Command build is the CGI program for everything below /jobs. The web server runs the program jobs, which begins
// faster and answers what is asked for most often; what it can't answer it leaves to this one.
package main

import (
	"context"
	"net/http"
	"os"
	"sync"
	"time"

	"toaster.do/cgi-bin/jobs/look"
	"toaster.do/lib/app"
	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/engine/reconcile"
	"toaster.do/lib/image/registry"
	"toaster.do/lib/jobs"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

func main() { os.Exit(web.Main("jobs", routes())) }

func routes() []web.Route {
	j := &handlers{}
	const get, post, put = http.MethodGet, http.MethodPost, http.MethodPut
	return append(look.Routes(j.reconciler), []web.Route{
		{Method: post, Path: "", Access: web.Writer, Do: j.add, Fields: fields, Again: "/new", Query: []string{"upsert"}},
		{Method: get, Path: "/new", Access: web.User, Do: j.newForm},
		{Method: post, Path: "/check", Access: web.User, Do: j.check, Fields: fields, Again: "/new", Repeat: true},
		{Method: get, Path: "/contexts", Access: web.User, Do: j.contextLimits},
		{Method: post, Path: "/contexts", Access: web.Writer, Do: j.declare, Raw: true, Again: "/new"},
		{Method: get, Path: "/contexts/{mac}/{id}/{archive}", Access: web.Anyone, Do: j.sendContext, Secret: true},
		{Method: post, Path: "/blobs", Access: web.Writer, Do: j.putBlobs, Raw: true, Again: "/new"},
		{Method: put, Path: "/blobs/{sha256}", Access: web.Writer, Do: j.putBlob},
		{Method: get, Path: "/feed", Access: web.Writer, Do: j.feedPage},
		{Method: post, Path: "/feed", Access: web.Writer, Do: j.setFeed, Fields: one("feed"), Again: "/feed"},
		{Method: get, Path: "/feed/{name}", Access: web.Anyone, Do: j.feed, Secret: true},
		{Method: get, Path: "/{id}", Access: web.User, Do: j.view},
		{Method: get, Path: "/{id}/root-password", Access: web.User, Do: j.rootPassword},
		{Method: get, Path: "/{id}/badge.svg", Access: web.Anyone, Do: j.badge},
		{Method: post, Path: "/{id}/badge", Access: web.Writer, Do: j.showBadge, Fields: one("public"), Again: "/{id}"},
		{Method: get, Path: "/{id}/update", Access: web.User, Do: j.updateForm},
		{Method: post, Path: "/{id}/update", Access: web.Writer, Do: j.update, Fields: fields, Again: "/{id}/update"},
		{Method: get, Path: "/{id}/remove", Access: web.User, Do: j.removeForm},
		{Method: post, Path: "/{id}/remove", Access: web.Writer, Do: j.remove, Again: "/{id}/remove"},
		{Method: post, Path: "/{id}/start", Access: web.Writer, Do: j.start, Fields: startFields, Again: "/{id}"},
		{Method: post, Path: "/{id}/stop", Access: web.Writer, Do: j.stop, Again: "/{id}"},
		{Method: post, Path: "/{id}/enable", Access: web.Writer, Do: j.enable, Again: "/{id}"},
		{Method: post, Path: "/{id}/disable", Access: web.Writer, Do: j.disable, Again: "/{id}"},
		{Method: post, Path: "/{id}/lock", Access: web.Writer, Do: j.lock, Again: "/{id}"},
		{Method: post, Path: "/{id}/fetch", Access: web.Writer, Do: j.lookAt, Again: "/{id}"},
		{Method: get, Path: "/{id}/dockerfile", Access: web.User, Do: j.dockerfile},
		{Method: get, Path: "/{id}/blend", Access: web.User, Do: j.blend},
		{Method: get, Path: "/{id}/script", Access: web.User, Do: j.script},
		{Method: get, Path: "/{id}/copy", Access: web.User, Do: j.copyForm},
		{Method: get, Path: "/{id}/compare", Access: web.User, Do: j.compare},
		{Method: get, Path: "/{id}/builds/{number}", Access: web.User, Do: j.build},
		{Method: post, Path: "/{id}/builds/{number}/keep", Access: web.Writer, Do: j.keep, Again: "/{id}/builds/{number}"},
		{Method: post, Path: "/{id}/builds/{number}/unkeep", Access: web.Writer, Do: j.unkeep,
			Again: "/{id}/builds/{number}"},
		{Method: get, Path: "/{id}/hooks", Access: web.User, Do: j.hooks},
		{Method: post, Path: "/{id}/hooks", Access: web.Writer, Do: j.addHook, Fields: hookFields, Again: "/{id}/hooks"},
		{Method: post, Path: "/{id}/hooks/start", Access: web.Writer, Do: j.setStartHook, Fields: one("start"),
			Again: "/{id}/hooks"},
		{Method: get, Path: "/{id}/hooks/{hook}", Access: web.User, Do: j.hook},
		{Method: post, Path: "/{id}/hooks/{hook}/update", Access: web.Writer, Do: j.updateHook, Fields: hookFields,
			Again: "/{id}/hooks/{hook}"},
		{Method: post, Path: "/{id}/hooks/{hook}/secret", Access: web.Writer, Do: j.renewHook, Again: "/{id}/hooks/{hook}"},
		{Method: post, Path: "/{id}/hooks/{hook}/delete", Access: web.Writer, Do: j.deleteHook, Again: "/{id}/hooks/{hook}"},
		{Method: post, Path: "/{id}/hooks/{hook}/test", Access: web.Writer, Do: j.testHook, Again: "/{id}/hooks/{hook}"},
		{Method: get, Path: "/{id}/hooks/{hook}/deliveries", Access: web.User, Do: j.deliveries},
		{Method: post, Path: "/{id}/hooks/{hook}/deliveries/{delivery}/send", Access: web.Writer, Do: j.sendAgain,
			Again: "/{id}/hooks/{hook}"},
		{Method: post, Path: "/push/{secret}", Access: web.Anyone, Do: j.pushSecret, Call: true, Secret: true},
		{Method: post, Path: "/{id}/push", Access: web.Anyone, Do: j.push, Call: true},
	}...)
}

// one is a form with a single short field.
func one(name string) func(*config.Config) web.Fields {
	return func(*config.Config) web.Fields { return web.Fields{name: {Most: 100, Hidden: true}} }
}

// handlers answer the requests. The service is made by the first that needs it, and again when the site is another.
type handlers struct {
	mu      sync.Mutex
	site    *web.Site
	service *jobs.Service
}

func (j *handlers) open(r *web.Request) (*jobs.Service, error) {
	r.Request = r.WithContext(reconcile.RequestContext(r.Context()))
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.service == nil || j.site != r.Site {
		s, err := app.Service(r.Site.Config, r.Site.DB, r.Log())
		if err != nil {
			return nil, apperr.Wrap(apperr.Unavailable, err, "The build service is not set up correctly.",
				"Administrator: the log has the details.")
		}
		// Only this program asks registries: the client takes each process that has it some time to begin.
		s.Images = registry.New(r.Site.Config.Registry, app.Version)
		j.site, j.service = r.Site, s
	}
	return j.service, nil
}

func (j *handlers) reconciler(r *web.Request) (*reconcile.Reconciler, error) {
	s, err := j.open(r)
	if err != nil {
		return nil, err
	}
	return &s.Reconciler, nil
}

// pageStore is what these pages need of the database themselves.
type pageStore interface {
	Badge(ctx context.Context, id string) (state store.BuildState, err error)
	Build(ctx context.Context, owner int64, id string, number int) (*store.Build, error)
	Feed(ctx context.Context, user int64) (n int64, err error)
	Forgive(ctx context.Context, t store.Tried) error
	JobArtifacts(ctx context.Context, owner int64, id string) (map[int][]store.Artifact, error)
	LatestBuild(ctx context.Context, owner int64, id string, good bool) (number int, err error)
	Phases(ctx context.Context, id string) (map[int][]store.Phase, error)
	RecentBuilds(ctx context.Context, user int64, limit int) (items []store.FeedItem, err error)
	ScanState(ctx context.Context, b *store.Build) (s store.Scan, err error)
	Sources(ctx context.Context, owner int64, id string) (map[int]store.Source, error)
	SetBadge(ctx context.Context, owner int64, id string, public bool) error
	SetFeed(ctx context.Context, user int64, on bool) error
	Try(ctx context.Context, now time.Time, limits ...store.Limit) (t store.Tried, err error)
}

func db(r *web.Request) pageStore { return r.Site.DB }
