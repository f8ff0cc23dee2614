package main

import (
	"errors"
	"net/http"
	"strings"

	"toaster.do/lib/apperr"
	"toaster.do/lib/contexts"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// word has to be typed to confirm that an account is deleted.
const word = "delete"

// leavePage is the form that removes an account.
type leavePage struct {
	formErrors
	Word string
}

var leaveTemplate = view.Template[leavePage]{Name: "leave"}

// export sends all that the site knows of a person, as a .zip, piece by piece.
func export(w http.ResponseWriter, r *web.Request) error {
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", web.Disposition("attachment", "toaster.zip"))
	h.Set("Content-Security-Policy", "sandbox")
	a := accounts(r)
	a.Contexts = (&contexts.Store{Dir: r.Site.Config.Paths.Contexts}).WriteTree
	err := a.Export(r.Context(), r.Identity.User, w)
	if err != nil {
		h.Del("Content-Disposition") // where nothing was sent yet; else the archive ends early, and is seen to be broken
	}
	return err
}

func removeForm(w http.ResponseWriter, r *web.Request) error {
	return showRemove(w, r, http.StatusOK, formErrors{})
}

func showRemove(w http.ResponseWriter, r *web.Request, status int, bad formErrors) error {
	return r.Page(w, status, leaveTemplate.With(leavePage{bad, word}), view.View{Here: "account"})
}

func remove(w http.ResponseWriter, r *web.Request) error {
	in, err := r.Input()
	if err == nil && !strings.EqualFold(strings.TrimSpace(in.Values["word"]), word) {
		missing := apperr.New(apperr.InvalidArgument, "The confirmation is missing.",
			"To confirm, enter “"+word+"”.").At("word")
		err = errors.Join(accounts(r).Confirm(r.Context(), r.Identity.User, in.Values["confirm"]), missing)
	}
	if err == nil {
		err = accounts(r).Leave(r.Context(), r.Identity.User, in.Values["confirm"], r.Entry("account.remove", "", ""))
	}
	if err == nil {
		err = r.Site.Sessions.End(w, r.Request)
	}
	if err != nil {
		return renderFormError(r, err, func(status int, bad formErrors) error { return showRemove(w, r, status, bad) })
	}
	return done(w, r, "/account/login", "removed")
}
