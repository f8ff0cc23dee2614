package main

import (
	"net/http"
	"strconv"

	"toaster.do/lib/apperr"
	"toaster.do/lib/auth"
	"toaster.do/lib/store"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// userPage is one person as their page shows them.
type userPage struct {
	Tab     string
	User    *store.User
	Self    bool // it is the administrator's own account
	Limits  []limit
	Usage   store.Usage
	Entries []store.AuditEntry
	Fault   *apperr.Error
}

func (a *admin) user(w http.ResponseWriter, r *web.Request) error {
	p, err := find(r)
	if err != nil {
		return err
	}
	limits := limitsOf(r.Site.Config, p)
	form, err := r.Kept()
	if err != nil {
		return err
	}
	for i := range limits {
		if form != nil {
			limits[i].Value = form.Values[limits[i].Name]
		}
	}
	return showUser(w, r, p, limits, nil)
}

// showUser shows a person. A change that was refused is told above what was asked for.
func showUser(w http.ResponseWriter, r *web.Request, p *store.User, limits []limit, refused error) error {
	v := userPage{Tab: "people", User: p, Self: p.ID == r.Identity.User.ID, Limits: limits}
	var err error
	if v.Usage, err = db(r).Usage(r.Context(), p.ID, r.Site.Sessions.Now()); err != nil {
		return err
	}
	if v.Entries, err = db(r).AuditEntries(r.Context(),
		store.AuditQuery{Object: store.UserObject(p.ID), Limit: 10}); err != nil {
		return err
	}
	status := http.StatusOK
	if refused != nil {
		r.Note(refused)
		status, v.Fault = web.Status(refused), apperr.Of(refused)
	}
	return r.Page(w, status, userTemplate.With(v), view.View{Here: "admin", Notice: notice(r)})
}

// find returns the person that the path names.
func find(r *web.Request) (*store.User, error) {
	id, err := strconv.ParseInt(r.Param("id"), 10, 64)
	if err != nil {
		return nil, apperr.New(apperr.NotFound, "This account does not exist.", "See the list of users.")
	}
	return db(r).UserByID(r.Context(), id)
}

// change does something to the person that the path names, and leads back to their page. What is refused is told there.
func (a *admin) change(w http.ResponseWriter, r *web.Request, note string, do func(*store.User) error) error {
	p, err := find(r)
	if err != nil {
		return err
	}
	if err := do(p); err != nil {
		if !web.Repeatable(err) {
			return err
		}
		return showUser(w, r, p, limitsOf(r.Site.Config, p), err)
	}
	return r.Redirect(w, "/admin/people/"+strconv.FormatInt(p.ID, 10)+"?note="+note)
}

// notSelf keeps administrators from shutting themselves out.
func notSelf(r *web.Request, p *store.User) error {
	if p.ID == r.Identity.User.ID {
		return apperr.New(apperr.FailedPrecondition, "This is your own account.", "Another administrator can do this.")
	}
	return nil
}

func (a *admin) activate(w http.ResponseWriter, r *web.Request) error {
	return a.change(w, r, "activated", func(p *store.User) error {
		return auth.New(r.Site.Config, r.Site.DB).Approve(r.Context(), p, r.Entry("", "", ""))
	})
}

func (a *admin) suspend(w http.ResponseWriter, r *web.Request) error {
	s, err := a.open(r)
	if err != nil {
		return err
	}
	return a.change(w, r, "suspended", func(p *store.User) error {
		if err := notSelf(r, p); err != nil {
			return err
		}
		return s.Suspend(r.Context(), p.ID, r.Entry("", "", ""))
	})
}

func (a *admin) role(w http.ResponseWriter, r *web.Request) error {
	in, err := r.Input()
	if err != nil {
		return err
	}
	return a.change(w, r, "role", func(p *store.User) error {
		role := store.Role(in.Values["role"])
		if !role.Valid() {
			return apperr.New(apperr.InvalidArgument, "This role does not exist.", "Use “user” or “admin”.").At("role")
		}
		if err := notSelf(r, p); err != nil {
			return err
		}
		return db(r).SetRole(r.Context(), p.ID, role, r.Entry("", "", ""))
	})
}

func (a *admin) signOut(w http.ResponseWriter, r *web.Request) error {
	in, err := r.Input()
	if err != nil {
		return err
	}
	return a.change(w, r, "signedout", func(p *store.User) error {
		return db(r).LogOut(r.Context(), p.ID, in.Values["tokens"] != "", r.Entry("", "", ""))
	})
}

// resetFactor helps somebody who has lost both telephone and recovery codes.
func (a *admin) resetFactor(w http.ResponseWriter, r *web.Request) error {
	return a.change(w, r, "factor", func(p *store.User) error {
		if err := notSelf(r, p); err != nil {
			return err
		}
		return auth.New(r.Site.Config, r.Site.DB).ResetFactor(r.Context(), p, r.Entry("user.factor", "", "off"))
	})
}

func (a *admin) removeUserForm(w http.ResponseWriter, r *web.Request) error {
	p, err := find(r)
	if err != nil {
		return err
	}
	return r.Page(w, http.StatusOK, removeUserTemplate.With(p), view.View{Here: "admin"})
}

func (a *admin) removeUser(w http.ResponseWriter, r *web.Request) error {
	p, err := find(r)
	if err != nil {
		return err
	}
	if err := notSelf(r, p); err != nil {
		return err
	}
	err = auth.New(r.Site.Config, r.Site.DB).Remove(r.Context(), p, r.Entry("user.remove", "", ""))
	if err != nil {
		return err
	}
	return r.Redirect(w, "/admin/people?note=removed")
}
