package main

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/auth"
	"toaster.do/lib/store"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// tokensPage lists a person's tokens, with the form for another.
type tokensPage struct {
	formErrors
	Tokens     []*store.Token
	Now        time.Time
	Plain      string // a new token, shown this once
	Shown      bool   // it was shown before
	Name, Days string
	Scope      store.Scope
	Admin      bool
}

var tokensTemplate = view.Template[tokensPage]{Name: "tokens"}

func tokens(w http.ResponseWriter, r *web.Request) error {
	v := tokensPage{Scope: store.ScopeRead, Days: "90"}
	form, err := r.Kept()
	if err != nil {
		return err
	}
	if form != nil {
		v.Name, v.Scope, v.Days = form.Values["name"], store.Scope(form.Values["scope"]), form.Values["days"]
	}
	plain, err := r.FlashOf(w, "token")
	if err != nil {
		return err
	}
	v.Plain, v.Shown = string(plain), plain == nil && r.URL.Query().Has("shown")
	return showTokens(w, r, http.StatusOK, v)
}

func showTokens(w http.ResponseWriter, r *web.Request, status int, v tokensPage) (err error) {
	if v.Tokens, err = db(r).Tokens(r.Context(), r.Identity.User.ID); err != nil {
		return err
	}
	if r.JSON() {
		list := []tokenJSON{}
		for _, t := range v.Tokens {
			list = append(list, asJSON(t))
		}
		return r.Answer(w, status, map[string]any{"tokens": list})
	}
	v.Now, v.Admin = time.Now(), r.Identity.User.IsAdmin()
	return r.Page(w, status, tokensTemplate.With(v), view.View{Here: "account", Notice: notice(r)})
}

type tokenJSON struct {
	ID        int64       `json:"id"`
	Name      string      `json:"name"`
	Scope     store.Scope `json:"scope"`
	CreatedAt time.Time   `json:"created_at"`
	ExpiresAt *time.Time  `json:"expires_at"`
	UsedAt    *time.Time  `json:"used_at"`
}

func asJSON(t *store.Token) tokenJSON {
	return tokenJSON{t.ID, t.Name, t.Scope, t.CreatedAt, unlessZero(t.ExpiresAt), unlessZero(t.UsedAt)}
}

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func addToken(w http.ResponseWriter, r *web.Request) error {
	in, err := r.Input()
	v := tokensPage{Name: in.Values["name"], Scope: store.Scope(in.Values["scope"]), Days: in.Values["days"]}
	days, wrongDays := parseDays(v.Days)
	life := time.Duration(days) * 24 * time.Hour
	if err == nil {
		err = errors.Join(auth.CheckToken(v.Name, v.Scope, life), wrongDays)
	}
	if err == nil {
		err = r.Allow("token.add", "")
	}
	if err == nil {
		v.Plain, err = accounts(r).AddToken(r.Context(), r.Identity.User.Email, v.Name, v.Scope, life, r.Entry("", "", ""))
	}
	if err != nil {
		return renderFormError(r, err, func(status int, bad formErrors) error {
			v.formErrors = bad
			return showTokens(w, r, status, v)
		})
	}
	if r.JSON() {
		return r.Answer(w, http.StatusCreated, map[string]any{"token": v.Plain, "name": v.Name, "scope": v.Scope})
	}
	return r.RedirectOnce(w, "/account/tokens", "token", []byte(v.Plain))
}

// parseDays reads how long a token is good for; 0 is for ever.
func parseDays(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if text == "" {
		n, err = 90, nil
	}
	if err != nil || n < 0 || n > 3650 {
		return 0, apperr.New(apperr.InvalidArgument, "A token expires after 3650 days at the latest.",
			"Enter a number of days, or 0 for unlimited.").At("days")
	}
	return n, nil
}

func removeToken(w http.ResponseWriter, r *web.Request) error {
	id, err := number(r)
	if err != nil {
		return err
	}
	if err := db(r).RemoveToken(r.Context(), r.Identity.User.ID, id, r.Entry("", "", "")); err != nil {
		return err
	}
	return done(w, r, "/account/tokens", "token")
}
