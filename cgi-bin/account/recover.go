package main

import (
	"net/http"
	"time"

	"toaster.do/lib/auth"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

// least is how long an answer takes that must not show by its time what was found. An email takes a few milliseconds to
// write, a password some 100 to check and hash.
const least = 200 * time.Millisecond

// evenly returns what waits until the answer has taken as long as any.
func evenly() func() {
	end := time.Now().Add(least)
	return func() { time.Sleep(time.Until(end)) }
}

var recoverPage = emailForm{Title: "Forgot your password?",
	Lead: "Enter your email address. You get an email with a link to choose a new password.", Button: "Send email",
	Action: "/account/recover"}

func recoverForm(w http.ResponseWriter, r *web.Request) error {
	return showEmailForm(w, r, http.StatusOK, recoverPage)
}

func recoverAccount(w http.ResponseWriter, r *web.Request) error {
	return answerEmailForm(w, r, recoverPage, "recover",
		func(a *auth.Accounts, email string) error { return a.Recover(r.Context(), email) })
}

func resetForm(w http.ResponseWriter, r *web.Request) error {
	return findLink(w, r, store.KindRecover, &resetTemplate, "/account/recover")
}

func reset(w http.ResponseWriter, r *web.Request) error {
	in, err := r.Input()
	if err != nil {
		return err
	}
	if err := r.Allow("link", ""); err != nil {
		return err
	}
	a, secret := accounts(r), in.Values["link"]
	p, err := a.Reset(r.Context(), secret, in.Values["password"], in.Values["tokens"] != "", r.Entry("recover", "", ""))
	if err != nil {
		return renderFormError(r, err, func(status int, bad formErrors) error {
			email, err := a.Linked(r.Context(), store.KindRecover, secret)
			page := linkPage{formErrors: bad, Link: secret, Email: email, Retry: "/account/recover"}
			return showLink(w, r, err, status, &resetTemplate, page)
		})
	}
	if !p.Active() {
		return accepted(w, r, "approval")
	}
	// Whoever tries passwords at this account doesn't keep the one out who has just chosen another.
	if err := r.Site.Sessions.Remember(w, r.Request, p, false); err != nil {
		return err
	}
	return done(w, r, "/account/login", "reset")
}
