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
	wrong
	Person         *store.User
	Name, Notify   string
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
		return r.Answer(w, http.StatusOK, map[string]any{"email": p.Email, "name": p.Name, "role": p.Role, "created_at": p.CreatedAt, "notify": p.Notify, "second_factor": p.HasFactor(), "limits": limits})
	}
	v := profilePage{Name: p.Name, Notify: p.Notify}
	form, err := r.Kept()
	if form != nil {
		v.Name, v.Notify = form.Values["name"], cmp.Or(form.Values["notify"], p.Notify)
	}
	if err != nil {
		return err
	}
	return showProfile(w, r, http.StatusOK, v)
}

func showProfile(w http.ResponseWriter, r *web.Request, status int, v profilePage) error {
	cfg, p := r.Site.Config, r.Identity.User
	v.Person, v.Idle, v.Absolute, v.Mailed, v.Session = p, cfg.Session.Idle, cfg.Session.MaxAge, cfg.Mail.On(), r.Identity.Token == nil
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
	v := profilePage{Name: strings.TrimSpace(in.Values["name"]), Notify: in.Values["notify"]}
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
		return again(r, err, func(status int, bad wrong) error {
			v.wrong = bad
			return showProfile(w, r, status, v)
		})
	}
	return done(w, r, "/account", "profile")
}

// sessionRow is a place where somebody is logged in.
type sessionRow struct {
	*store.Session
	Browser string // in a few words
	Here    bool   // this very one
}

// sessionsPage lists where somebody is logged in.
type sessionsPage struct {
	wrong
	Sessions []sessionRow
}

var sessionsTemplate = view.Template[sessionsPage]{Name: "sessions"}

func sessions(w http.ResponseWriter, r *web.Request) error {
	return showSessions(w, r, http.StatusOK, wrong{})
}

func showSessions(w http.ResponseWriter, r *web.Request, status int, bad wrong) error {
	found, err := db(r).Sessions(r.Context(), r.Identity.User.ID, time.Now(), r.Site.Config.Session.Idle)
	if err != nil {
		return err
	}
	var list []sessionRow
	for _, s := range found {
		list = append(list, sessionRow{s, agentName(s.Agent), s.ID == r.Identity.Session})
	}
	page := sessionsPage{bad, list}
	return r.Page(w, status, sessionsTemplate.With(page), view.View{Here: "account", Notice: notice(r)})
}

func endSession(w http.ResponseWriter, r *web.Request) error {
	id, err := number(r)
	if err != nil {
		return err
	}
	if id == r.Identity.Session {
		return logout(w, r)
	}
	return endThose(w, r, "session", func() error {
		return db(r).EndOneSession(r.Context(), r.Identity.User.ID, id, time.Now())
	})
}

func endSessions(w http.ResponseWriter, r *web.Request) error {
	return endThose(w, r, "sessions", func() error {
		if err := db(r).EndOtherSessions(r.Context(), r.Identity.User.ID, r.Identity.Session, time.Now()); err != nil {
			return err
		}
		return rememberAgain(w, r, false)
	})
}

// endThose ends sessions for who gives the password: whoever sits at a browser that was left alone doesn't shut its owner out elsewhere.
func endThose(w http.ResponseWriter, r *web.Request, note string, end func() error) error {
	_, err := confirmed(r, func(a *auth.Accounts, password string) ([]string, error) {
		if err := a.Confirm(r.Context(), r.Identity.User, password); err != nil {
			return nil, err
		}
		return nil, end()
	})
	if err != nil && apperr.KindOf(err) != apperr.NotFound {
		return again(r, err, func(status int, bad wrong) error { return showSessions(w, r, status, bad) })
	}
	if err != nil {
		return err
	}
	return done(w, r, "/account/sessions", note)
}

// number is the id in a path.
func number(r *web.Request) (int64, error) {
	id, err := strconv.ParseInt(r.Param("id"), 10, 64)
	if err != nil {
		return 0, apperr.New(apperr.NotFound, "It no longer exists.", "")
	}
	return id, nil
}
