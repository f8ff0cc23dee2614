package main

import (
	"net/http"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// addressPage is the form for another address.
type addressPage struct {
	formErrors
	Old, Email string
	Mailed     bool
}

var addressTemplate = view.Template[addressPage]{Name: "address"}

// addressForm is the page that an email to a new address leads to, and without a link the form for one.
func addressForm(w http.ResponseWriter, r *web.Request) error {
	if r.URL.Query().Has("link") {
		return findLink(w, r, store.KindAddress, &confirmTemplate, "/account/address")
	}
	switch {
	case r.Identity.Token != nil:
		return apperr.New(apperr.PermissionDenied, "This page does not accept tokens.", "Log in with a browser.")
	case r.Identity.User == nil:
		return r.Redirect(w, "/account/login?next=%2Faccount%2Faddress")
	}
	form, err := r.Kept()
	if err != nil {
		return err
	}
	var v addressPage
	if form != nil {
		v.Email = form.Values["email"]
	}
	return showAddress(w, r, http.StatusOK, v)
}

func showAddress(w http.ResponseWriter, r *web.Request, status int, p addressPage) error {
	p.Old, p.Mailed = r.Identity.User.Email, r.Site.Config.Mail.On()
	return r.Page(w, status, addressTemplate.With(p), view.View{Here: "account"})
}

func changeAddress(w http.ResponseWriter, r *web.Request) error {
	in, err := r.Input()
	if err == nil {
		err = accounts(r).ChangeAddress(r.Context(), r.Identity.User, in.Values["email"], in.Values["confirm"])
	}
	if err != nil {
		return renderFormError(r, err, func(status int, bad formErrors) error {
			return showAddress(w, r, status, addressPage{formErrors: bad, Email: in.Values["email"]})
		})
	}
	return accepted(w, r, "address")
}

func confirmAddress(w http.ResponseWriter, r *web.Request) error {
	in, err := r.Input()
	if err != nil {
		return err
	}
	if err := r.Allow("link", ""); err != nil {
		return err
	}
	if err := accounts(r).ConfirmAddress(r.Context(), in.Values["link"], r.Entry("address", "", "")); err != nil {
		return err
	}
	if r.Identity.User == nil {
		return done(w, r, "/account/login", "address")
	}
	return done(w, r, "/account", "address")
}
