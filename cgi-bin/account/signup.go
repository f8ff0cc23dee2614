package main

import (
	"net/http"

	"toaster.do/lib/auth"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// signupPage is the form for an account as it is shown. The password is never sent back.
type signupPage struct {
	formErrors
	Name, Email  string
	Open, Mailed bool
	Approval     bool // an administrator decides
	Domains      []string
}

var signupTemplate = view.Template[signupPage]{Name: "signup"}

func signupForm(w http.ResponseWriter, r *web.Request) error {
	if r.Identity.User != nil {
		return r.Redirect(w, "/account")
	}
	return showSignup(w, r, http.StatusOK, signupPage{})
}

func showSignup(w http.ResponseWriter, r *web.Request, status int, p signupPage) error {
	cfg := r.Site.Config
	p.Open, p.Mailed, p.Approval, p.Domains = accounts(r).Open(), cfg.Mail.On(), cfg.Signup.Mode == "approval",
		cfg.Signup.Domains
	return r.Page(w, status, signupTemplate.With(p), view.View{Here: "signup"})
}

func signup(w http.ResponseWriter, r *web.Request) error {
	wait := evenly()
	in, err := r.Input()
	if err == nil {
		err = r.Allow("signup", "")
	}
	v := in.Values
	if err == nil {
		err = accounts(r).SignUp(r.Context(), auth.NewUser{Name: v["name"], Email: v["email"], Password: v["password"]},
			r.Entry("signup", "", ""))
	}
	if err != nil {
		return renderFormError(r, err, func(status int, bad formErrors) error {
			return showSignup(w, r, status, signupPage{formErrors: bad, Name: v["name"], Email: v["email"]})
		})
	}
	wait()
	return accepted(w, r, "signup")
}
