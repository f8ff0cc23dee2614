// Package web is the path of a request: from the web server's environment to a handler, and back as a page, as
// JSON or as an error that says what to do. CGI programs are tables of routes on top of it.
package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/auth/session"
	"toaster.do/lib/config"
	"toaster.do/lib/store"
	"toaster.do/lib/view"
)

// App is a CGI program: it answers the requests whose path begins with its name.
type App struct {
	Program string // "jobs"
	Routes  []Route
	Log     *slog.Logger

	fast bool // FastCGI: many requests
	mu   sync.Mutex
	site *Site
	cfg  *config.Config
}

// requestStore is what the path of a request needs of the database.
type requestStore interface {
	Setting(ctx context.Context, name string) (value string, err error)
	SetSetting(ctx context.Context, name string, value string) error
	Try(ctx context.Context, now time.Time, limits ...store.Limit) (t store.Tried, err error)
	onceStore
}

// Site is what every request needs, opened once in a process.
type Site struct {
	Config   *config.Config
	DB       *store.DB
	Sessions *session.Manager

	store requestStore // DB, for what this package does with it

	// In a FastCGI program: the files that it was made of, and how many requests use it.
	files map[string]state
	users int
}

// open opens the site. A failure is tried again at the next request: by then it may be mended. Who gets a site leaves
// it.
func (a *App) open(ctx context.Context) (*Site, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.site != nil && a.fast && !maps.Equal(look(a.cfg), a.site.files) {
		a.renew()
	}
	if a.site == nil {
		if err := a.make(ctx); err != nil {
			return nil, err
		}
	}
	if a.fast {
		// Another version's "toasterctl migrate" may have been here.
		if err := a.site.DB.Fits(ctx); err != nil {
			return nil, closed(err)
		}
	}
	a.site.users++
	return a.site, nil
}

func (a *App) make(ctx context.Context) error {
	if a.cfg == nil {
		cfg, err := config.Load(os.Getenv("TOASTER_CONF"))
		if err != nil {
			return closed(err)
		}
		a.cfg, a.Log = cfg, cfg.Log.Logger(os.Stderr)
	}
	s := &Site{Config: a.cfg}
	if a.fast {
		s.files = look(a.cfg)
	}
	var err error
	if s.DB, err = store.Open(ctx, a.cfg.Paths.Database); err != nil {
		return closed(err)
	}
	s.store = s.DB
	if s.Sessions, err = session.New(a.cfg, s.DB); err != nil {
		s.DB.Close()
		return closed(err)
	}
	s.Sessions.Prefix = prefixOf
	a.site = s
	return nil
}

// closed is the answer of a site that can't be opened, whatever the cause: 503, and what to do.
func closed(err error) error {
	if f := new(apperr.Error); errors.As(err, &f) && f.Kind == apperr.Unavailable {
		return err
	} else if f.Kind != "" && f.Kind != apperr.Internal {
		return apperr.Wrap(apperr.Unavailable, err, "%s", "%s", f.Message, f.Advice)
	}
	return apperr.Wrap(apperr.Unavailable, err, "This site can't be opened.", "Administrator: the log has the reason.")
}

// about is what the configuration says of the site, as far as it could be read.
func (a *App) about() config.Site {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := config.Site{}
	if a.cfg != nil {
		s = a.cfg.Site
	}
	if s.Name == "" {
		s.Name = "toaster"
	}
	return s
}

func (a *App) logger() *slog.Logger {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.Log
}

// own is the program's segment of the site's paths. The front page has none.
func (a *App) own() string {
	if a.Program == "index" {
		return ""
	}
	return "/" + a.Program
}

type prefixKey struct{}

func prefixOf(r *http.Request) string {
	prefix, _ := r.Context().Value(prefixKey{}).(string)
	return prefix
}

// ServeHTTP answers a request and writes one line about it to the log.
func (a *App) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	begin := time.Now()
	out := &response{ResponseWriter: w, head: hr.Method == http.MethodHead}
	r := &Request{Request: hr, app: a, ID: newID()}
	guard(out.Header(), r.ID)
	defer func() {
		if p := recover(); p != nil {
			r.crash(out, p, debug.Stack())
		}
		if r.form != nil {
			r.form.close()
		}
		a.line(r, out, time.Since(begin))
	}()
	reads := hr.Method == http.MethodGet || hr.Method == http.MethodHead
	r.Request = hr.WithContext(store.ForRequest(hr.Context(), reads))
	site, err := a.open(r.Context())
	defer a.leave(site)
	a.locate(r)
	if err != nil {
		r.fail(out, err)
		return
	}
	r.Site = site
	cross := func(_ http.ResponseWriter, _ *http.Request, err error) { r.fail(out, err) }
	session.Guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if err := r.answer(out); err != nil {
			r.fail(out, err)
		}
	}), site.Config.Site.URL, cross).ServeHTTP(out, r.Request)
}

// locate finds the site's prefix and the path below the program.
func (a *App) locate(r *Request) {
	configured := a.about().Prefix
	if a.fast {
		r.Prefix, r.path = a.fcgiPlace(r.Request, configured)
	} else {
		r.Prefix, r.path = place(a.Program, os.Getenv("SCRIPT_NAME"), os.Getenv("PATH_INFO"))
	}
	if configured != "" {
		r.Prefix = configured
	}
	r.Request = r.Request.WithContext(context.WithValue(r.Request.Context(), prefixKey{}, r.Prefix))
}

func (r *Request) answer(w *response) error {
	route, parameters, allowed := find(r.app.Routes, r.Method, strings.TrimSuffix(r.path, "/"))
	if route == nil && len(allowed) == 0 {
		return apperr.New(apperr.NotFound, "This page does not exist.", "Go back, or start from the front page.")
	}
	if route == nil {
		slices.Sort(allowed)
		w.Header().Set("Allow", strings.Join(slices.Compact(allowed), ", "))
		return &statusFault{apperr.New(apperr.InvalidArgument, "This method is not allowed for this page.",
			"Follow a link or use a button instead."), http.StatusMethodNotAllowed}
	}
	r.route, r.parameters = route, parameters
	if len(r.path) > 1 && strings.HasSuffix(r.path, "/") {
		return r.redirectTrailingSlash(w)
	}
	r.noticeProxy()
	if route.Call {
		return route.Do(w, r)
	}
	if err := r.identify(); err != nil {
		return err
	}
	who := r.Identity
	if who.User == nil && route.Access == Anyone {
		w.Header().Set("Cache-Control", "no-cache")
	}
	if who.User == nil && route.Access != Anyone {
		return r.redirectToLogin(w)
	}
	if err := route.Access.admits(r); err != nil {
		return err
	}
	if r.Method == http.MethodPost && !route.Raw {
		return r.act(w)
	}
	return route.Do(w, r)
}

// identify finds out who asks, once.
func (r *Request) identify() (err error) {
	if r.Site == nil || r.identified {
		return nil
	}
	r.identified = true
	r.Identity, err = r.Site.Sessions.Identify(r.Request)
	return err
}

// redirectTrailingSlash leads to the path without the slash at its end.
func (r *Request) redirectTrailingSlash(w *response) error {
	to := &url.URL{Path: strings.TrimRight(r.path, "/"), RawQuery: r.Request.URL.RawQuery}
	w.Header().Set("Location", r.Prefix+r.app.own()+to.String())
	w.WriteHeader(http.StatusPermanentRedirect)
	return nil
}

// redirectToLogin sends a browser to the log-in page and back. A form is kept for its sender.
func (r *Request) redirectToLogin(w *response) error {
	if r.JSON() {
		return apperr.New(apperr.Unauthenticated, "You have to log in first.", "Send “Authorization: Bearer TOKEN”.")
	}
	next := address(&url.URL{Path: r.app.own() + r.path, RawQuery: r.Request.URL.RawQuery})
	if r.Method == http.MethodPost {
		next = address(&url.URL{Path: strings.TrimSuffix(r.app.own()+fill(r.route.Again, r.parameters), "/")})
		if r.route.Fields != nil {
			id := r.keep(w)
			if id == "" {
				// What can't be kept must not be lost: the page that says so has it.
				if len(r.typed()) > 0 {
					return apperr.New(apperr.Unauthenticated, "You are not logged in, and your form can't be kept on the server.",
						"Copy it from below, log in, and try again.")
				}
			}
			next = WithDraft(next, id)
		}
	}
	return r.Redirect(w, "/account/login?next="+url.QueryEscape(next))
}

func newID() string {
	b := make([]byte, 8)
	rand.Read(b)
	return hex.EncodeToString(b)
}

func size(n int64) string { return view.Bytes("en", n) }
