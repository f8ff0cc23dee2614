package main

import (
	"net/http"

	"toaster.do/lib/auth"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// ask is a form for an address.
type ask struct {
	wrong
	Title, Lead, Button, Action, Email string
	Mailed                             bool
}

var askTemplate = view.Template[ask]{Name: "ask"}

func showAsk(w http.ResponseWriter, r *web.Request, status int, a ask) error {
	a.Mailed = r.Site.Config.Mail.On()
	return r.Page(w, status, askTemplate.With(a), view.View{Here: "login"})
}

var resendPage = ask{Title: "Resend the activation email", Lead: "Enter the address that you signed up with.", Button: "Send again", Action: "/account/resend"}

func resendForm(w http.ResponseWriter, r *web.Request) error {
	return showAsk(w, r, http.StatusOK, resendPage)
}

func resend(w http.ResponseWriter, r *web.Request) error {
	return answerAsk(w, r, resendPage, "resend", func(a *auth.Accounts, email string) error { return a.Resend(r.Context(), email) })
}

// answerAsk does what a form for an address asks for. The answer takes the same time whatever was found.
func answerAsk(w http.ResponseWriter, r *web.Request, a ask, what string, do func(*auth.Accounts, string) error) error {
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
		return again(r, err, func(status int, bad wrong) error {
			a.wrong, a.Email = bad, in.Values["email"]
			return showAsk(w, r, status, a)
		})
	}
	return accepted(w, r, what)
}
