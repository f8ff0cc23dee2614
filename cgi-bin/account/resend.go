package main

import (
	"net/http"

	"toaster.do/lib/auth"
	"toaster.do/lib/i18n"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// emailForm is a form for an address.
type emailForm struct {
	formErrors
	Title, Lead, Button i18n.Key
	Action, Email       string
	Mailed              bool
}

var emailFormTemplate = view.Template[emailForm]{Name: "emailform"}

func showEmailForm(w http.ResponseWriter, r *web.Request, status int, a emailForm) error {
	a.Mailed = r.Site.Config.Mail.On()
	return r.Page(w, status, emailFormTemplate.With(a), view.View{Here: "login"})
}

var resendPage = emailForm{Title: "Resend the activation email", Lead: "Enter the address that you signed up with.",
	Button: "Send again", Action: "/account/resend"}

func resendForm(w http.ResponseWriter, r *web.Request) error {
	return showEmailForm(w, r, http.StatusOK, resendPage)
}

func resend(w http.ResponseWriter, r *web.Request) error {
	return answerEmailForm(w, r, resendPage, "resend",
		func(a *auth.Accounts, email string) error { return a.Resend(r.Context(), email) })
}

// answerEmailForm does what a form for an address asks for. The answer takes the same time whatever was found.
func answerEmailForm(w http.ResponseWriter, r *web.Request, a emailForm, what string,
	do func(*auth.Accounts, string) error) error {
	wait := evenly()
	in, err := r.Input()
	if err == nil {
		err = r.Allow(what, "")
	}
	if err == nil {
		err = do(accounts(r), in.Values["email"])
	}
	wait()
	if err != nil {
		return renderFormError(r, err, func(status int, bad formErrors) error {
			a.formErrors, a.Email = bad, in.Values["email"]
			return showEmailForm(w, r, status, a)
		})
	}
	return accepted(w, r, what)
}
