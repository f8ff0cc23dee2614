package main

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/auth"
	"toaster.do/lib/store"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// profilePage is the overview of an account.
type profilePage struct {
	formErrors
	User           *store.User
	Name           string
	Notify         store.Notify
	Idle, Absolute time.Duration
	Mailed         bool
	Codes          int // recovery codes that are left
	NeedsFactor    bool
	Session        bool
	Shares         []auth.Share
	KeepDays       int
}

var profileTemplate = view.Template[profilePage]{Name: "account"}

// profile shows who is logged in.
func profile(w http.ResponseWriter, r *web.Request) error {
	p := r.Identity.User
	if r.JSON() {
		shares, keepDays, err := accounts(r).Shares(r.Context(), p)
		if err != nil {
			return err
		}
		limits := map[string]any{"keep_days": keepDays}
		for _, s := range shares {
			limits[s.Name] = map[string]int64{"taken": s.Taken, "most": s.Most}
		}
		return r.Answer(w, http.StatusOK, map[string]any{"email": p.Email, "name": p.Name, "role": p.Role,
			"created_at": p.CreatedAt, "notify": p.Notify, "second_factor": p.HasFactor(), "limits": limits})
	}
	v := profilePage{Name: p.Name, Notify: p.Notify}
	form, err := r.Kept()
	if form != nil {
		v.Name, v.Notify = form.Values["name"], cmp.Or(store.Notify(form.Values["notify"]), p.Notify)
	}
	if err != nil {
		return err
	}
	return showProfile(w, r, http.StatusOK, v)
}

func showProfile(w http.ResponseWriter, r *web.Request, status int, v profilePage) error {
	cfg, p := r.Site.Config, r.Identity.User
	v.User, v.Idle, v.Absolute, v.Mailed, v.Session = p, cfg.Session.Idle, cfg.Session.MaxAge, cfg.Mail.On(),
		r.Identity.Token == nil
	v.NeedsFactor = cfg.NeedsFactor(p.IsAdmin()) && !p.HasFactor()
	var err error
	if v.Shares, v.KeepDays, err = accounts(r).Shares(r.Context(), p); err != nil {
		return err
	}
	if p.HasFactor() {
		n, err := db(r).RecoveryCodes(r.Context(), p.ID)
		if err != nil {
			return err
		}
		v.Codes = n
	}
	return r.Page(w, status, profileTemplate.With(v), view.View{Here: "account", Notice: notice(r)})
}

func setProfile(w http.ResponseWriter, r *web.Request) error {
	in, err := r.Input()
	v := profilePage{Name: strings.TrimSpace(in.Values["name"]), Notify: store.Notify(in.Values["notify"])}
	if v.Notify == "" {
		v.Notify = r.Identity.User.Notify
	}
	if err == nil {
		err = auth.CheckProfile(v.Name, v.Notify)
	}
	if err == nil {
		err = db(r).SetProfile(r.Context(), r.Identity.User.ID, v.Name, v.Notify)
	}
	if err != nil {
		return renderFormError(r, err, func(status int, bad formErrors) error {
			v.formErrors = bad
			return showProfile(w, r, status, v)
		})
	}
	return done(w, r, "/account", "profile")
}

// number is the id in a path.
func number(r *web.Request) (int64, error) {
	id, err := strconv.ParseInt(r.Param("id"), 10, 64)
	if err != nil {
		return 0, apperr.New(apperr.NotFound, "It no longer exists.", "")
	}
	return id, nil
}
