package main

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// code is the form for the second factor.
type code struct {
	formErrors
	State, Next string
}

var codeTemplate = view.Template[code]{Name: "code"}

const codeLife = 10 * time.Minute

// half is somebody who has given the right password, and the second factor not yet.
type half struct {
	User     int64
	Password []byte // a digest: when the password changes, it has to be given again
}

func halfway(r *web.Request, p *store.User) (string, error) {
	d := sha256.Sum256([]byte(p.Password))
	b, err := json.Marshal(half{p.ID, d[:8]})
	if err != nil {
		return "", err
	}
	return r.Site.Sessions.Seal("login", b)
}

// halfwayUser returns the person of a state that halfway made.
func halfwayUser(r *web.Request, state string) (*store.User, error) {
	late := apperr.New(apperr.Unauthenticated, "The login took too long.", "Start again.")
	b, ok := r.Site.Sessions.Unseal("login", state, codeLife)
	var h half
	if !ok || json.Unmarshal(b, &h) != nil {
		return nil, late
	}
	p, err := db(r).UserByID(r.Context(), h.User)
	if apperr.KindOf(err) == apperr.NotFound {
		return nil, late
	}
	if err != nil {
		return nil, err
	}
	if d := sha256.Sum256([]byte(p.Password)); string(d[:8]) != string(h.Password) || !p.Active() || !p.HasFactor() {
		return nil, late
	}
	return p, nil
}

func showCode(w http.ResponseWriter, r *web.Request, status int, c code) error {
	w.Header().Set("Cache-Control", "no-store")
	return r.Page(w, status, codeTemplate.With(c), view.View{Here: "login"})
}

func loginCode(w http.ResponseWriter, r *web.Request) error {
	in, err := r.Input()
	if err != nil {
		return err
	}
	c := code{State: in.Values["state"], Next: web.SafeNext(in.Values["next"], home)}
	p, err := halfwayUser(r, c.State)
	if err != nil {
		return renderFormError(r, err, func(status int, bad formErrors) error {
			return showLogin(w, r, status, form{formErrors: bad, Next: c.Next})
		})
	}
	if err := accounts(r).CheckFactor(r.Context(), p, in.Values["code"], address(r)); err != nil {
		return renderFormError(r, err, func(status int, bad formErrors) error {
			c.formErrors = bad
			return showCode(w, r, status, c)
		})
	}
	return begin(w, r, p, c.Next, "code")
}

// codeForm is the page for the second factor, in the browser that has sent the right password.
func codeForm(w http.ResponseWriter, r *web.Request) error {
	c := code{State: string(r.PeekFlash("login")), Next: web.SafeNext(r.URL.Query().Get("next"), home)}
	if r.Identity.User != nil || c.State == "" {
		return r.Redirect(w, "/account/login?next="+url.QueryEscape(c.Next))
	}
	return showCode(w, r, http.StatusOK, c)
}
