package main

import (
	"net/http"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// linkPage is a page for a link in an email.
type linkPage struct {
	formErrors
	Link  string // the secret
	Email string // where it was sent
	Gone  *apperr.Error
	Retry string // the page that sends another
}

var (
	activateTemplate = view.Template[linkPage]{Name: "activate"}
	confirmTemplate  = view.Template[linkPage]{Name: "confirm"}
	resetTemplate    = view.Template[linkPage]{Name: "reset"}
)

// findLink shows what a link is for; opening it changes nothing, because programs that scan emails do that.
func findLink(w http.ResponseWriter, r *web.Request, kind store.EmailTokenKind, t *view.Template[linkPage],
	retry string) error {
	secret := r.URL.Query().Get("link")
	if err := r.Allow("link", ""); err != nil {
		return err
	}
	email, err := accounts(r).Linked(r.Context(), kind, secret)
	return showLink(w, r, err, http.StatusOK, t, linkPage{Link: secret, Email: email, Retry: retry})
}

func showLink(w http.ResponseWriter, r *web.Request, err error, status int, t *view.Template[linkPage],
	p linkPage) error {
	if err != nil {
		if apperr.KindOf(err) != apperr.NotFound {
			return err
		}
		r.Note(err)
		p.Gone, status = apperr.Of(err), http.StatusNotFound
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "strict-origin") // the web server's log may have referrers
	return r.Page(w, status, t.With(p), view.View{})
}

func activateForm(w http.ResponseWriter, r *web.Request) error {
	return findLink(w, r, store.KindActivate, &activateTemplate, "/account/resend")
}

func activate(w http.ResponseWriter, r *web.Request) error {
	in, err := r.Input()
	if err != nil {
		return err
	}
	if err := r.Allow("link", ""); err != nil {
		return err
	}
	a, secret := accounts(r), in.Values["link"]
	p, err := a.Activate(r.Context(), secret, in.Values["password"], address(r), r.Entry("activate", "", ""))
	if err != nil {
		return renderFormError(r, err, func(status int, bad formErrors) error {
			email, err := a.Linked(r.Context(), store.KindActivate, secret)
			page := linkPage{formErrors: bad, Link: secret, Email: email, Retry: "/account/resend"}
			return showLink(w, r, err, status, &activateTemplate, page)
		})
	}
	if !p.Active() {
		return accepted(w, r, "approval")
	}
	return begin(w, r, p, home, "activation")
}
