package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/hooks"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// mostHooks are those of one job.
const mostHooks = 5

// hookSends are the rates for what sends something to an address of the user's.
var hookSends = []store.Rate{{Count: 10, Within: time.Minute}, {Count: 60, Within: time.Hour}}

func hookFields(*config.Config) web.Fields {
	return web.Fields{"url": {Most: 2000, Keep: 4 << 10}, "enabled": {Most: 10, Hidden: true}}
}

// hookRequest is what the hooks' pages need of the database.
type hookRequest interface {
	AddHook(ctx context.Context, owner int64, h *store.Hook, most int, e store.AuditEntry) error
	DeleteHook(ctx context.Context, owner int64, job string, id int64, e store.AuditEntry) error
	Deliveries(ctx context.Context, owner int64, job string, id int64) (list []store.Delivery, err error)
	Hook(ctx context.Context, owner int64, job string, id int64) (h store.Hook, err error)
	Hooks(ctx context.Context, owner int64, job string) (list []store.Hook, err error)
	Job(ctx context.Context, owner int64, id string) (j *store.Job, err error)
	SendAgain(ctx context.Context, owner int64, job string, id, delivery int64, now time.Time) error
	SetHook(ctx context.Context, owner int64, job string, id int64, url string, enabled bool, e store.AuditEntry) error
	SetHookSecret(ctx context.Context, owner int64, job string, id int64, sealed []byte, e store.AuditEntry) error
	SetStartHook(ctx context.Context, owner int64, job string, sealed []byte, e store.AuditEntry) error
	StartHook(ctx context.Context, owner int64, job string) (h *store.StartHook, err error)
	TestHook(ctx context.Context, owner int64, job string, id int64, now time.Time) error
}

func hookDB(r *web.Request) hookRequest { return r.Site.DB }

// hookPage is what the pages of hooks have in common: the job, what is wrong with the form, and a secret that is shown
// this once.
type hookPage struct {
	faults []*apperr.Error
	Job    *store.Job
	New    newSecret
	Shown  bool   // it was shown before
	URL    string // as it was typed
}

// Fault is what is wrong with a field; nil: nothing.
func (p hookPage) Fault(field string) *apperr.Error { return apperr.At(p.faults, field) }

// Refused is what is wrong with none of the form's own fields.
func (p hookPage) Refused() *apperr.Error {
	for _, f := range p.faults {
		if f.Field != "url" {
			return f
		}
	}
	return nil
}

// newSecret is one that is shown once.
type newSecret struct {
	Secret string `json:"secret"`
	URL    string `json:"url"`                  // that is called, or calls
	Plain  string `json:"secret_url,omitempty"` // of a start hook: with the secret in it
}

// hooksPage lists a job's hooks.
type hooksPage struct {
	hookPage
	Hooks   []store.Hook
	Most    int
	Start   *store.StartHook // nil: there is none
	Address string           // that starts a build
}

// oneHookPage shows one hook with its log.
type oneHookPage struct {
	hookPage
	Hook       store.Hook
	Deliveries []store.Delivery
}

var (
	hooksTemplate = view.Template[hooksPage]{Name: "hooks"}
	hookTemplate  = view.Template[oneHookPage]{Name: "hook"}
)

// hookNotices are what the page before has done.
var hookNotices = map[string]i18n.Key{
	"added":   "The hook is saved.",
	"updated": "The hook is saved.",
	"deleted": "The hook is deleted.",
	"queued":  "The message will be sent within a minute.",
	"stopped": "The start address is deleted. Calls to it no longer start builds.",
}

// hooks lists the hooks of a job, with the form for another.
func (j *handlers) hooks(w http.ResponseWriter, r *web.Request) error {
	p := hooksPage{}
	form, err := r.Kept()
	if err != nil {
		return err
	}
	if form != nil {
		p.URL = form.Values["url"]
	}
	return showHooks(w, r, http.StatusOK, p)
}

func showHooks(w http.ResponseWriter, r *web.Request, status int, p hooksPage) (err error) {
	ctx, owner, id := r.Context(), r.Identity.User.ID, r.Param("id")
	if p.Job, err = hookDB(r).Job(ctx, owner, id); err != nil {
		return err
	}
	if p.Hooks, err = hookDB(r).Hooks(ctx, owner, id); err != nil {
		return err
	}
	if p.Start, err = hookDB(r).StartHook(ctx, owner, id); err != nil {
		return err
	}
	p.Address, p.Most = startAddress(r, id), mostHooks
	if r.JSON() {
		list := []hookJSON{}
		for _, h := range p.Hooks {
			list = append(list, hookAsJSON(h))
		}
		return r.Answer(w, status, map[string]any{"hooks": list, "start": startAsJSON(p)})
	}
	if err := p.open(w, r); err != nil {
		return err
	}
	return r.Page(w, status, hooksTemplate.With(p), view.View{Here: "jobs", Notice: hookNotice(r)})
}

func hookNotice(r *web.Request) i18n.Key { return hookNotices[r.URL.Query().Get("note")] }

// open finds a secret that is to be shown once.
func (p *hookPage) open(w http.ResponseWriter, r *web.Request) error {
	text, err := r.FlashOf(w, "hook:"+r.Param("id"))
	if err != nil {
		return err
	}
	if p.Shown = text == nil && r.URL.Query().Has("shown"); text == nil {
		return nil
	}
	return json.Unmarshal(text, &p.New)
}

func startAddress(r *web.Request, id string) string { return r.Address() + "/jobs/" + id + "/push" }

// hookJSON is a hook for programs.
type hookJSON struct {
	ID        int64      `json:"id"`
	URL       string     `json:"url"`
	Enabled   bool       `json:"enabled"`
	GoneAt    *time.Time `json:"gone_at"`
	CreatedAt time.Time  `json:"created_at"`
	Waiting   int        `json:"waiting"`
	Secret    string     `json:"secret,omitempty"` // a new one, in the answer to what made it
}

func hookAsJSON(h store.Hook) hookJSON {
	return hookJSON{ID: h.ID, URL: h.URL, Enabled: h.Enabled, GoneAt: unlessZero(h.GoneAt), CreatedAt: h.CreatedAt,
		Waiting: h.Waiting}
}

type startJSON struct {
	URL       string     `json:"url"`
	Enabled   bool       `json:"enabled"`
	CreatedAt *time.Time `json:"created_at"`
	UsedAt    *time.Time `json:"used_at"`
}

func startAsJSON(p hooksPage) startJSON {
	out := startJSON{URL: p.Address, Enabled: p.Start != nil}
	if p.Start != nil {
		out.CreatedAt, out.UsedAt = unlessZero(p.Start.CreatedAt), unlessZero(p.Start.UsedAt)
	}
	return out
}

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// seal returns a new secret for a hook of the job, or for its start hook, and what is stored of it.
func seal(r *web.Request, start bool) (plain string, sealed []byte, err error) {
	seals, err := r.Site.Config.Seals(hooks.Seals)
	if err != nil {
		return "", nil, err
	}
	plain = hooks.NewSecret()
	return plain, seals.Seal([]byte(plain), hooks.Bound(r.Param("id"), start)), nil
}

// refuseHook shows a page again with what is wrong, or returns the error where that is no use to its sender.
func refuseHook(r *web.Request, err error, show func(status int, faults []*apperr.Error) error) error {
	status := web.Status(err)
	if r.JSON() || !web.Repeatable(err) || status == http.StatusNotFound {
		return err
	}
	if status >= 500 {
		r.Log().Error("failed", slog.String("request", r.ID), slog.Any("error", err))
	}
	r.Note(err)
	return show(status, apperr.All(err))
}

// hostOf is what the audit trail says of an address: the rest of it may have a secret.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

func (j *handlers) addHook(w http.ResponseWriter, r *web.Request) error {
	in, err := r.Input()
	p := hooksPage{}
	p.URL = strings.TrimSpace(in.Values["url"])
	if err == nil {
		err = hooks.CheckURL(p.URL, r.Site.Config.Hooks.Allow)
	}
	h := &store.Hook{JobID: r.Param("id"), URL: p.URL, CreatedAt: time.Now()}
	plain := ""
	if err == nil {
		plain, h.Secret, err = seal(r, false)
	}
	if err == nil {
		err = hookDB(r).AddHook(r.Context(), r.Identity.User.ID, h, mostHooks, r.Entry("", "", hostOf(p.URL)))
	}
	if err != nil {
		return refuseHook(r, errors.Join(ownJob(r), err), func(status int, faults []*apperr.Error) error {
			p.faults = faults
			return showHooks(w, r, status, p)
		})
	}
	path := fmt.Sprintf("/jobs/%s/hooks/%d", h.JobID, h.ID)
	if r.JSON() {
		out := hookAsJSON(*h)
		out.Secret = plain
		w.Header().Set("Location", r.To(path))
		return r.Answer(w, http.StatusCreated, out)
	}
	return showOnce(w, r, path+"?note=added", newSecret{Secret: plain, URL: h.URL})
}

// ownJob is the error of a job that isn't the sender's, whatever else is wrong.
func ownJob(r *web.Request) error {
	_, err := hookDB(r).Job(r.Context(), r.Identity.User.ID, r.Param("id"))
	if apperr.KindOf(err) == apperr.NotFound {
		return err
	}
	return nil
}

func showOnce(w http.ResponseWriter, r *web.Request, path string, s newSecret) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return r.RedirectOnce(w, path, "hook:"+r.Param("id"), text)
}

// setStartHook gives the job a start hook with a new secret, or takes it away.
func (j *handlers) setStartHook(w http.ResponseWriter, r *web.Request) error {
	in, err := r.Input()
	if err != nil {
		return err
	}
	id, path := r.Param("id"), "/jobs/"+r.Param("id")+"/hooks"
	var plain string
	var sealed []byte
	if in.Values["start"] != "0" {
		if plain, sealed, err = seal(r, true); err != nil {
			return err
		}
	}
	if err := hookDB(r).SetStartHook(r.Context(), r.Identity.User.ID, id, sealed, r.Entry("", "", "")); err != nil {
		return err
	}
	secret := newSecret{plain, startAddress(r, id), r.Address() + "/jobs/push/" + id + "-" + plain}
	switch {
	case sealed == nil && r.JSON():
		w.WriteHeader(http.StatusNoContent)
		return nil
	case sealed == nil:
		return r.Redirect(w, path+"?note=stopped")
	case r.JSON():
		return r.Answer(w, http.StatusCreated, secret)
	}
	return showOnce(w, r, path, secret)
}

// hookNumber is a parameter of the path that is a number.
func hookNumber(r *web.Request, name string) int64 {
	n, err := strconv.ParseInt(r.Param(name), 10, 64)
	if err != nil {
		return 0 // which nothing has
	}
	return n
}
