// Command account is the CGI program for everything below /account: logging in and out, and one's profile.
package main

import (
	"net/http"
	"os"
	"strings"
	"time"

	"toaster.do/lib/account"
	"toaster.do/lib/config"
	"toaster.do/lib/fault"
	"toaster.do/lib/page"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

func main() { os.Exit(web.Main("account", routes)) }

var routes = []web.Route{
	{Method: http.MethodGet, Path: "", Access: web.Person, Do: profile},
	{Method: http.MethodGet, Path: "/login", Do: loginForm},
	{Method: http.MethodPost, Path: "/login", Do: login, Fields: fields},
	{Method: http.MethodPost, Path: "/logout", Do: logout},
}

func fields(*config.Config) web.Fields {
	small := web.Limit{Most: 2 << 10}
	return web.Fields{"email": small, "password": small, "next": small}
}

// profile shows who is logged in.
func profile(w http.ResponseWriter, r *web.Request) error {
	p := r.Who.Person
	if r.JSON() {
		return r.Answer(w, http.StatusOK, map[string]any{"email": p.Email, "name": p.Name, "role": p.Role, "created_at": p.CreatedAt})
	}
	limits := r.Site.Config.Session
	return r.Page(w, http.StatusOK, "account", page.View{Here: "account", Data: struct {
		Person         *store.Person
		Idle, Absolute time.Duration
	}{p, limits.Idle, limits.Absolute}})
}

// form is the log-in form as it is shown. The password is never sent back.
type form struct {
	Email, Next string
	Kept        bool // a form is kept on the server until its sender has logged in
	Fault       *fault.Error
}

const home = "/jobs" // where a log-in leads that was asked for by itself

func loginForm(w http.ResponseWriter, r *web.Request) error {
	next := web.SafeNext(r.URL.Query().Get("next"), home)
	if r.Who.Person != nil {
		return r.Redirect(w, next)
	}
	return showLogin(w, r, http.StatusOK, form{Next: next})
}

func showLogin(w http.ResponseWriter, r *web.Request, status int, f form) error {
	f.Kept = strings.Contains(f.Next, "?draft=")
	w.Header().Set("Cache-Control", "no-store")
	return r.Page(w, status, "login", page.View{Here: "login", Data: f})
}

func login(w http.ResponseWriter, r *web.Request) error {
	in, err := r.Input()
	if err != nil {
		return err
	}
	f := form{Email: strings.TrimSpace(in.Values["email"]), Next: web.SafeNext(in.Values["next"], home)}
	person, err := account.New(r.Site.Config, r.Site.DB).LogIn(r.Context(), f.Email, in.Values["password"], r.Site.Sessions.Address(r.Request))
	if err == nil {
		err = r.Site.Sessions.Begin(w, r.Request, person)
	}
	if err != nil && (r.JSON() || web.Status(err) >= 500) {
		return err
	}
	if err != nil {
		r.Note(err)
		f.Fault = fault.Of(err)
		return showLogin(w, r, web.Status(err), f)
	}
	if r.JSON() {
		return r.Answer(w, http.StatusOK, map[string]any{"email": person.Email, "name": person.Name})
	}
	return r.Redirect(w, f.Next)
}

func logout(w http.ResponseWriter, r *web.Request) error {
	if err := r.Site.Sessions.End(w, r.Request); err != nil {
		return err
	}
	if r.JSON() {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return r.Redirect(w, "/")
}
