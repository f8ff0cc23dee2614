package main

import (
	"net/http"

	"toaster.do/lib/apperr"
	"toaster.do/lib/auth"
	"toaster.do/lib/i18n"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// signupPage is the form for an account as it is shown. The password is never sent back.
type signupPage struct {
	wrong
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
	p.Open, p.Mailed, p.Approval, p.Domains = accounts(r).Open(), cfg.Mail.On(), cfg.Signup.Mode == "approval", cfg.Signup.Domains
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
		err = accounts(r).SignUp(r.Context(), auth.NewUser{Name: v["name"], Email: v["email"], Password: v["password"]}, r.Entry("signup", "", ""))
	}
	if err != nil {
		return again(r, err, func(status int, bad wrong) error {
			return showSignup(w, r, status, signupPage{wrong: bad, Name: v["name"], Email: v["email"]})
		})
	}
	wait()
	return accepted(w, r, "signup")
}

// accepted answers what may, or may not, have led to a letter: always in the same way.
func accepted(w http.ResponseWriter, r *web.Request, what string) error {
	if r.JSON() {
		t := told(r, what)
		return r.Answer(w, http.StatusAccepted, map[string]any{"message": t.Text})
	}
	return r.Redirect(w, "/account/sent?for="+what)
}

// sent says what happens next.
func sent(w http.ResponseWriter, r *web.Request) error {
	return r.Page(w, http.StatusOK, toldTemplate.With(told(r, r.URL.Query().Get("for"))), view.View{})
}

// message is a page that says something, and leads on.
type message struct {
	Title, Lead i18n.Key
	Text        i18n.Key
	Link        string
	Label       i18n.Key // where it leads; empty: nowhere
}

var toldTemplate = view.Template[message]{Name: "told"}

func told(r *web.Request, what string) message {
	const late = "If you don't get an email within a few minutes, check your spam folder."
	switch {
	case what == "signup" && !r.Site.Config.Mail.On():
		return message{"Almost done", "Your account is waiting for approval.",
			"This site sends no emails. You can log in when an administrator has activated your account.", "", ""}
	case what == "signup":
		return message{"Check your email", "We sent you an email.",
			"Open the link in it to activate the account. " + late, "/account/resend", "Send again"}
	case what == "resend":
		return message{"Check your email", "If an account is waiting for activation, we sent an email to its address.",
			late, "/account/signup", "Sign up again"}
	case what == "recover":
		return message{"Check your email", "If the address belongs to an account, we sent an email to it.",
			"Open the link in it to choose a new password. The link expires after one hour. " + late, "/account/login", "Log in"}
	case what == "address":
		return message{"Check your email", "We sent an email to the new address.",
			"The address changes when you open the link in the email. Until then, log in with the old one. " + late, "/account", "Your account"}
	case what == "approval":
		return message{"Almost done", "Your email address is confirmed. An administrator has to approve your account.",
			"You get an email when it is approved.", "", ""}
	}
	return message{"Nothing was sent", "This page shows the result of a form.", "", "/", "Front page"}
}

// linkPage is a page for a link in a letter.
type linkPage struct {
	wrong
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

// findLink shows what a link is for; opening it changes nothing, because programs that look through letters do that.
func findLink(w http.ResponseWriter, r *web.Request, kind string, t *view.Template[linkPage], retry string) error {
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
	return findLink(w, r, "activate", &activateTemplate, "/account/resend")
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
		return again(r, err, func(status int, bad wrong) error {
			email, err := a.Linked(r.Context(), "activate", secret)
			page := linkPage{wrong: bad, Link: secret, Email: email, Retry: "/account/resend"}
			return showLink(w, r, err, status, &activateTemplate, page)
		})
	}
	if !p.Active() {
		return accepted(w, r, "approval")
	}
	return begin(w, r, p, home, "activation")
}

// ask is a form for an address.
type ask struct {
	wrong
	Title, Lead, Button i18n.Key
	Action, Email       string
	Mailed              bool
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
