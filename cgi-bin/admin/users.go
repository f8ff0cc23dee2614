package main

import (
	"net/http"

	"toaster.do/lib/store"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// usersPage is a page of the accounts.
type usersPage struct {
	listing
	Tab    string
	People []store.UserRow
	States []store.UserState
}

var (
	usersTemplate      = view.Template[usersPage]{Name: "admin_users"}
	userTemplate       = view.Template[userPage]{Name: "admin_user"}
	removeUserTemplate = view.Template[*store.User]{Name: "admin_remove_user"}
)

// users lists the accounts.
func (a *admin) users(w http.ResponseWriter, r *web.Request) error {
	l := list(r.URL.Query())
	people, found, err := db(r).FindUsers(r.Context(),
		store.UserQuery{Text: l.Text, State: store.UserState(l.State), Role: store.Role(l.Role), Offset: l.offset(),
			Limit: web.PageLength})
	if err != nil {
		return err
	}
	l.turn("/admin/people", found)
	page := usersPage{l, "people", people, store.UserStates}
	return r.Page(w, http.StatusOK, usersTemplate.With(page), view.View{Here: "admin", Notice: notice(r)})
}
