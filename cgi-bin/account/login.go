package main

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// form is the log-in form as it is shown. The password is never sent back.
type form struct {
	formErrors
	Email, Next  string
	Kept         bool // a form is kept on the server until its sender has logged in
	Open, Mailed bool // people can sign up; the site sends emails
}

var loginTemplate = view.Template[form]{Name: "login"}

const home = "/jobs" // where a log-in leads that was asked for by itself

func loginForm(w http.ResponseWriter, r *web.Request) error {
	next := web.SafeNext(r.URL.Query().Get("next"), home)
	if r.Identity.User != nil {
		return r.Redirect(w, next)
	}
	return showLogin(w, r, http.StatusOK, form{Next: next})
}

// cookieCheck is where a browser comes by that sent no cookie when it logged in: it leads on, or says that the cookie
// is missing. It has a path of its own, as w3m takes a second redirect from the same path for a loop.
func cookieCheck(w http.ResponseWriter, r *web.Request) error {
	next := web.SafeNext(r.URL.Query().Get("next"), home)
	if r.Identity.User != nil {
		return r.Redirect(w, next)
	}
	return showLogin(w, r, http.StatusForbidden,
		form{Next: next, formErrors: formErrors{[]*apperr.Error{withoutCookie(r)}}})
}

// checked is where a log-in leads: to next, or to the cookie check where the browser has sent no cookie of ours.
func checked(r *web.Request, next string) string {
	if slices.ContainsFunc(r.Cookies(), func(c *http.Cookie) bool { return strings.Contains(c.Name, "toaster") }) {
		return next
	}
	return "/account/cookie?next=" + url.QueryEscape(next)
}

// withoutCookie is why somebody who has just logged in is not.
func withoutCookie(r *web.Request) *apperr.Error {
	if r.Site.Config.Session.Secure == "always" && r.TLS == nil {
		return apperr.New(apperr.PermissionDenied, "Your browser does not send this site's cookie, so you are not logged in.",
			"Open this site with https://, and allow cookies for it. Then log in again.")
	}
	return apperr.New(apperr.PermissionDenied, "Your browser does not send this site's cookie, so you are not logged in.",
		"Allow cookies for this site in the settings of your browser. Then log in again.")
}

func showLogin(w http.ResponseWriter, r *web.Request, status int, f form) error {
	f.Kept = strings.Contains(f.Next, "draft=")
	f.Open, f.Mailed = accounts(r).Open(), r.Site.Config.Mail.On()
	w.Header().Set("Cache-Control", "no-store")
	return r.Page(w, status, loginTemplate.With(f), view.View{Here: "login", Notice: notice(r)})
}

func login(w http.ResponseWriter, r *web.Request) error {
	in, err := r.Input()
	if err != nil {
		return err
	}
	f := form{Email: strings.TrimSpace(in.Values["email"]), Next: web.SafeNext(in.Values["next"], home)}
	a := accounts(r)
	person, err := a.LogIn(r.Context(), f.Email, in.Values["password"], address(r))
	if apperr.KindOf(err) == apperr.Unauthenticated && err != nil {
		err = errors.Join(err, a.Failed(r.Context(), f.Email, r.Entry("login.fail", "", "")))
	}
	if err != nil {
		return renderFormError(r, err, func(status int, bad formErrors) error {
			f.formErrors = bad
			return showLogin(w, r, status, f)
		})
	}
	switch {
	case !person.HasFactor():
		return begin(w, r, person, f.Next, "password")
	case r.JSON():
		if err := a.CheckFactor(r.Context(), person, in.Values["code"], address(r)); err != nil {
			return err
		}
		return begin(w, r, person, f.Next, "code")
	}
	state, err := halfway(r, person)
	if err != nil {
		return err
	}
	return r.RedirectOnce(w, "/account/login/code?next="+url.QueryEscape(f.Next), "login", []byte(state))
}

// begin logs a person in and leads on.
func begin(w http.ResponseWriter, r *web.Request, p *store.User, next, by string) error {
	e := r.Entry("login", store.UserObject(p.ID), by)
	e.Actor = p.ID
	if err := r.Site.Sessions.Remember(w, r.Request, p, by == "code"); err != nil {
		return err
	}
	if err := r.Site.Sessions.Begin(w, r.Request, p, e); err != nil {
		return err
	}
	if r.JSON() {
		return r.Answer(w, http.StatusOK, map[string]any{"email": p.Email, "name": p.Name})
	}
	if r.Site.Config.Session.SecondFactor && !p.HasFactor() {
		next = "/account/factor"
	}
	return r.Redirect(w, checked(r, next))
}

func logout(w http.ResponseWriter, r *web.Request) error {
	var trail []store.AuditEntry
	if p := r.Identity.User; p != nil && r.Identity.Token == nil {
		trail = append(trail, r.Entry("logout", store.UserObject(p.ID), ""))
	}
	if err := r.Site.Sessions.End(w, r.Request, trail...); err != nil {
		return err
	}
	// Whoever comes next at this browser doesn't get a form by going back.
	w.Header().Set("Clear-Site-Data", `"cache"`)
	if r.JSON() {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return r.Redirect(w, "/")
}
