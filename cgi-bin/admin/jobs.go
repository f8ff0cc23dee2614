package main

import (
	"net/http"

	"toaster.do/lib/store"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// jobsPage is a page of everybody's jobs.
type jobsPage struct {
	listing
	Tab    string
	Jobs   []store.OwnedJob
	States []store.BuildState
}

var (
	jobsTemplate      = view.Template[jobsPage]{Name: "admin_jobs"}
	jobTemplate       = view.Template[jobPage]{Name: "admin_job"}
	removeJobTemplate = view.Template[jobPage]{Name: "admin_remove_job"}
)

// jobs lists everybody's jobs, those with an open build first.
func (a *admin) jobs(w http.ResponseWriter, r *web.Request) error {
	l := list(r.URL.Query())
	jobs, found, err := db(r).FindJobs(r.Context(),
		store.JobQuery{Text: l.Text, State: store.BuildState(l.State), Offset: l.offset(), Limit: web.PageLength})
	if err != nil {
		return err
	}
	l.turn("/admin/jobs", found)
	page := jobsPage{l, "jobs", jobs, store.JobStates}
	return r.Page(w, http.StatusOK, jobsTemplate.With(page), view.View{Here: "admin", Notice: notice(r)})
}
