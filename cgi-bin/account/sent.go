package main

import (
	"net/http"

	"toaster.do/lib/i18n"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// accepted answers what may, or may not, have led to an email: always in the same way.
func accepted(w http.ResponseWriter, r *web.Request, what string) error {
	if r.JSON() {
		t := messageFor(r, what)
		return r.Answer(w, http.StatusAccepted, map[string]any{"message": t.Text})
	}
	return r.Redirect(w, "/account/sent?for="+what)
}

// sent says what happens next.
func sent(w http.ResponseWriter, r *web.Request) error {
	return r.Page(w, http.StatusOK, messageTemplate.With(messageFor(r, r.URL.Query().Get("for"))), view.View{})
}

// message is a page that says something, and leads on.
type message struct {
	Title, Lead i18n.Key
	Text        i18n.Key
	Link        string
	Label       i18n.Key // where it leads; empty: nowhere
}

var messageTemplate = view.Template[message]{Name: "message"}

func messageFor(r *web.Request, what string) message {
	const late = "If you don't get an email within a few minutes, check your spam folder."
	switch {
	case what == "signup" && !r.Site.Config.Mail.On():
		return message{"Almost done", "Your account is waiting for approval.",
			"This site sends no emails. You can log in when an administrator has activated your account.", "", ""}
	case what == "signup":
		return message{"Check your email", "We sent you an email.",
			"Open the link in it to activate the account. " + late, "/account/resend", "Send again"}
	case what == "resend":
		return message{"Check your email", "If an account is waiting for activation, we sent an email to its address.", late,
			"/account/signup", "Sign up again"}
	case what == "recover":
		return message{"Check your email", "If the address belongs to an account, we sent an email to it.",
			"Open the link in it to choose a new password. The link expires after one hour. " + late, "/account/login", "Log in"}
	case what == "address":
		return message{"Check your email", "We sent an email to the new address.",
			"The address changes when you open the link in the email. Until then, log in with the old one. " + late, "/account",
			"Your account"}
	case what == "approval":
		return message{"Almost done", "Your email address is confirmed. An administrator has to approve your account.",
			"You get an email when it is approved.", "", ""}
	}
	return message{"Nothing was sent", "This page shows the result of a form.", "", "/", "Front page"}
}
