package main

import (
	"net/http"

	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// passwordPage is the form for another password.
type passwordPage struct {
	formErrors
	Email string
}

var passwordTemplate = view.Template[passwordPage]{Name: "password"}

func passwordForm(w http.ResponseWriter, r *web.Request) error {
	return showPassword(w, r, http.StatusOK, formErrors{})
}

func showPassword(w http.ResponseWriter, r *web.Request, status int, bad formErrors) error {
	return r.Page(w, status, passwordTemplate.With(passwordPage{bad, r.Identity.User.Email}), view.View{Here: "account"})
}

func changePassword(w http.ResponseWriter, r *web.Request) error {
	in, err := r.Input()
	if err == nil {
		err = accounts(r).ChangePassword(r.Context(), r.Identity.User, r.Identity.Session, in.Values["old"],
			in.Values["password"], in.Values["tokens"] != "", r.Entry("password", "", ""))
	}
	if err == nil {
		err = rememberAgain(w, r, false)
	}
	if err != nil {
		return renderFormError(r, err, func(status int, bad formErrors) error { return showPassword(w, r, status, bad) })
	}
	return done(w, r, "/account", "password")
}

// rememberAgain makes the browser known of somebody who may just have made all of theirs unknown; factor tells
// whether the second factor was given.
func rememberAgain(w http.ResponseWriter, r *web.Request, factor bool) error {
	was, k := r.Identity.User, r.Site.Sessions.Known(r.Request)
	p, err := db(r).UserByID(r.Context(), was.ID)
	if err != nil {
		return err
	}
	return r.Site.Sessions.Remember(w, r.Request, p, factor ||
		k.Factor && k.UserID == was.ID && k.Epoch == was.Browsers)
}
