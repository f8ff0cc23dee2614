package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/hooks"
	"toaster.do/lib/store"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// hook shows one hook, with its log.
func (j *handlers) hook(w http.ResponseWriter, r *web.Request) error {
	return showHook(w, r, http.StatusOK, oneHookPage{})
}

func showHook(w http.ResponseWriter, r *web.Request, status int, p oneHookPage) (err error) {
	ctx, owner, id, number := r.Context(), r.Identity.User.ID, r.Param("id"), hookNumber(r, "hook")
	if p.Job, err = hookDB(r).Job(ctx, owner, id); err != nil {
		return err
	}
	if p.Hook, err = hookDB(r).Hook(ctx, owner, id, number); err != nil {
		return err
	}
	if r.JSON() {
		return r.Answer(w, status, hookAsJSON(p.Hook))
	}
	if p.Deliveries, err = hookDB(r).Deliveries(ctx, owner, id, number); err != nil {
		return err
	}
	if err := p.open(w, r); err != nil {
		return err
	}
	if p.URL == "" {
		p.URL = p.Hook.URL
	}
	return r.Page(w, status, hookTemplate.With(p), view.View{Here: "jobs", Notice: hookNotice(r)})
}

// deliveryJSON is a try for programs.
type deliveryJSON struct {
	ID      int64     `json:"id"`
	Message string    `json:"message"`
	Build   int       `json:"build,omitempty"` // left out: it is a test
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds"`
	Status  int       `json:"status"`
	Answer  string    `json:"answer"`
	Error   string    `json:"error,omitempty"`
}

// deliveries is the log of a hook; people have it on the hook's page.
func (j *handlers) deliveries(w http.ResponseWriter, r *web.Request) error {
	list, err := hookDB(r).Deliveries(r.Context(), r.Identity.User.ID, r.Param("id"), hookNumber(r, "hook"))
	if err != nil || !r.JSON() {
		if err == nil {
			err = showHook(w, r, http.StatusOK, oneHookPage{})
		}
		return err
	}
	out := []deliveryJSON{}
	for _, d := range list {
		out = append(out, deliveryJSON{d.ID, d.Message, d.Build, d.At, d.Took.Seconds(), d.Status, d.Answer,
			r.Say(d.Error)})
	}
	return r.Answer(w, http.StatusOK, map[string]any{"deliveries": out})
}

func hookPath(r *web.Request) string {
	return fmt.Sprintf("/jobs/%s/hooks/%d", r.Param("id"), hookNumber(r, "hook"))
}

// updateHook gives a hook another address, and enables or disables it: what is left out stays.
func (j *handlers) updateHook(w http.ResponseWriter, r *web.Request) error {
	in, err := r.Input()
	ctx, owner, id, number := r.Context(), r.Identity.User.ID, r.Param("id"), hookNumber(r, "hook")
	now, missing := hookDB(r).Hook(ctx, owner, id, number)
	if missing != nil {
		return missing
	}
	address, enabled := now.URL, now.Enabled
	if typed, ok := in.Values["url"]; ok {
		address = strings.TrimSpace(typed)
	}
	if on, ok := in.Values["enabled"]; ok {
		enabled = on != "" && on != "0"
	}
	if err == nil && address != now.URL {
		err = hooks.CheckURL(address, r.Site.Config.Hooks.Allow)
	}
	if err == nil {
		detail := hostOf(address)
		if !enabled {
			detail += " disabled"
		}
		err = hookDB(r).SetHook(ctx, owner, id, number, address, enabled, r.Entry("", "", detail))
	}
	if err != nil {
		return refuseHook(r, err, func(status int, faults []*apperr.Error) error {
			p := oneHookPage{}
			p.faults, p.URL = faults, address
			return showHook(w, r, status, p)
		})
	}
	return hookDone(w, r, http.StatusOK, "updated")
}

// hookDone answers after a change: a program gets the hook, a browser goes to its page.
func hookDone(w http.ResponseWriter, r *web.Request, status int, note string) error {
	if r.JSON() {
		return showHook(w, r, status, oneHookPage{})
	}
	return r.Redirect(w, hookPath(r)+"?note="+note)
}

// renewHook gives a hook another secret.
func (j *handlers) renewHook(w http.ResponseWriter, r *web.Request) error {
	ctx, owner, id, number := r.Context(), r.Identity.User.ID, r.Param("id"), hookNumber(r, "hook")
	plain, sealed, err := seal(r, false)
	if err != nil {
		return err
	}
	if err := hookDB(r).SetHookSecret(ctx, owner, id, number, sealed, r.Entry("", "", "")); err != nil {
		return err
	}
	h, err := hookDB(r).Hook(ctx, owner, id, number)
	if err != nil {
		return err
	}
	if r.JSON() {
		out := hookAsJSON(h)
		out.Secret = plain
		return r.Answer(w, http.StatusOK, out)
	}
	return showOnce(w, r, hookPath(r), newSecret{Secret: plain, URL: h.URL})
}

func (j *handlers) deleteHook(w http.ResponseWriter, r *web.Request) error {
	err := hookDB(r).DeleteHook(r.Context(), r.Identity.User.ID, r.Param("id"), hookNumber(r, "hook"),
		r.Entry("", "", ""))
	if err != nil {
		return err
	}
	if r.JSON() {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return r.Redirect(w, "/jobs/"+r.Param("id")+"/hooks?note=deleted")
}

// testHook has a hook send a test.
func (j *handlers) testHook(w http.ResponseWriter, r *web.Request) error {
	if err := countSend(r); err != nil {
		return err
	}
	err := hookDB(r).TestHook(r.Context(), r.Identity.User.ID, r.Param("id"), hookNumber(r, "hook"), time.Now())
	if err != nil {
		return err
	}
	return hookDone(w, r, http.StatusAccepted, "queued")
}

// sendAgain has a hook send an earlier message once more.
func (j *handlers) sendAgain(w http.ResponseWriter, r *web.Request) error {
	if err := countSend(r); err != nil {
		return err
	}
	err := hookDB(r).SendAgain(r.Context(), r.Identity.User.ID, r.Param("id"), hookNumber(r, "hook"),
		hookNumber(r, "delivery"), time.Now())
	if err != nil {
		return err
	}
	return hookDone(w, r, http.StatusAccepted, "queued")
}

// countSend counts what sends something to an address of the user's.
func countSend(r *web.Request) error {
	return r.Count(store.Limit{Key: "hook:" + store.UserObject(r.Identity.User.ID), Rates: hookSends})
}
