package main

import (
	"net/http"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/auth"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// sessionRow is a place where somebody is logged in.
type sessionRow struct {
	*store.Session
	Browser i18n.Text // in a few words
	Here    bool      // this very one
}

// sessionsPage lists where somebody is logged in.
type sessionsPage struct {
	formErrors
	Sessions []sessionRow
}

var sessionsTemplate = view.Template[sessionsPage]{Name: "sessions"}

func sessions(w http.ResponseWriter, r *web.Request) error {
	return showSessions(w, r, http.StatusOK, formErrors{})
}

func showSessions(w http.ResponseWriter, r *web.Request, status int, bad formErrors) error {
	found, err := db(r).Sessions(r.Context(), r.Identity.User.ID, time.Now(), r.Site.Config.Session.Idle)
	if err != nil {
		return err
	}
	var list []sessionRow
	for _, s := range found {
		list = append(list, sessionRow{s, agentName(s.Agent), s.ID == r.Identity.Session})
	}
	page := sessionsPage{bad, list}
	return r.Page(w, status, sessionsTemplate.With(page), view.View{Here: "account", Notice: notice(r)})
}

func endSession(w http.ResponseWriter, r *web.Request) error {
	id, err := number(r)
	if err != nil {
		return err
	}
	if id == r.Identity.Session {
		return logout(w, r)
	}
	return endThose(w, r, "session", func() error {
		return db(r).EndOneSession(r.Context(), r.Identity.User.ID, id, time.Now())
	})
}

func endSessions(w http.ResponseWriter, r *web.Request) error {
	return endThose(w, r, "sessions", func() error {
		if err := db(r).EndOtherSessions(r.Context(), r.Identity.User.ID, r.Identity.Session, time.Now()); err != nil {
			return err
		}
		return rememberAgain(w, r, false)
	})
}

// endThose ends sessions for who gives the password: whoever sits at a browser that was left alone doesn't shut its
// owner out elsewhere.
func endThose(w http.ResponseWriter, r *web.Request, note string, end func() error) error {
	_, err := confirmed(r, func(a *auth.Accounts, password string) ([]string, error) {
		if err := a.Confirm(r.Context(), r.Identity.User, password); err != nil {
			return nil, err
		}
		return nil, end()
	})
	if err != nil && apperr.KindOf(err) != apperr.NotFound {
		return renderFormError(r, err, func(status int, bad formErrors) error { return showSessions(w, r, status, bad) })
	}
	if err != nil {
		return err
	}
	return done(w, r, "/account/sessions", note)
}
