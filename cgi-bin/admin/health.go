package main

import (
	"cmp"
	"context"
	"net/http"
	"os/exec"
	"strconv"
	"time"

	"toaster.do/lib/doctor"
	"toaster.do/lib/i18n"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// checkTime is how long the page waits for the database's check.
const checkTime = 20 * time.Second

// healthPage is how the site is.
type healthPage struct {
	Tab string
	*doctor.Report
	Checked bool
	Wrong   []i18n.Text
}

var healthTemplate = view.Template[healthPage]{Name: "admin_health"}

// health shows how the site is. With ?check=1 it reads the whole database, too.
func (a *admin) health(w http.ResponseWriter, r *web.Request) error {
	report, err := a.look(r)
	if err != nil {
		return err
	}
	v := healthPage{"health", report, r.URL.Query().Get("check") != "", nil}
	if v.Checked {
		ctx, cancel := context.WithTimeout(r.Context(), checkTime)
		defer cancel()
		wrong, err := db(r).Check(ctx)
		for _, line := range wrong {
			v.Wrong = append(v.Wrong, i18n.Plain(line))
		}
		if err != nil {
			r.Note(err)
			v.Wrong = []i18n.Text{i18n.T("The check could not be finished: the database is large, or damaged. “toasterctl " +
				"backup” checks it, too.")}
		}
	}
	return r.Page(w, http.StatusOK, healthTemplate.With(v), view.View{Here: "admin"})
}

// metrics is the same for Prometheus.
func (a *admin) metrics(w http.ResponseWriter, r *web.Request) error {
	report, err := a.look(r)
	if err != nil {
		return err
	}
	text := report.Metrics()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, err = w.Write(text)
	return err
}

func (a *admin) look(r *web.Request) (*doctor.Report, error) {
	s, err := a.open(r)
	if err != nil {
		return nil, err
	}
	program, _ := exec.LookPath("toasterctl")
	return doctor.Site{Config: r.Site.Config, Program: cmp.Or(program, "toasterctl")}.Look(r.Context(), r.Site.DB, s)
}
