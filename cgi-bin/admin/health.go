package main

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"toaster.do/lib/health"
	"toaster.do/lib/store"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

// checkTime is how long the page waits for the database's check.
const checkTime = 20 * time.Second

// healthPage is how the site is.
type healthPage struct {
	Tab string
	*health.Report
	Checked bool
	Wrong   []string
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
		if v.Wrong, err = db(r).Check(ctx); err != nil {
			r.Note(err)
			v.Wrong = []string{"The check could not be finished: the database is large, or damaged. “toasterctl backup” checks it, too."}
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

func (a *admin) look(r *web.Request) (*health.Report, error) {
	s, err := a.open(r)
	if err != nil {
		return nil, err
	}
	return health.Look(r.Context(), r.Site.Config, r.Site.DB, s)
}

// auditLength is how many lines of the audit trail a page has.
const auditLength = 50

// auditPage is a page of the audit trail.
type auditPage struct {
	Tab     string
	Query   store.AuditQuery
	Entries []store.AuditEntry
	Older   string
}

var auditTemplate = view.Template[auditPage]{Name: "admin_audit"}

// audit shows the audit trail.
func (a *admin) audit(w http.ResponseWriter, r *web.Request) error {
	q := entryQuery(r.URL.Query())
	entries, err := db(r).AuditEntries(r.Context(), q)
	if err != nil {
		return err
	}
	older := ""
	if len(entries) == auditLength {
		older = "/admin/audit?" + olderThan(q, entries[auditLength-1].ID).Encode()
	}
	return r.Page(w, http.StatusOK, auditTemplate.With(auditPage{"audit", q, entries, older}), view.View{Here: "admin"})
}

// entryQuery reads action, object, actor and before; what makes no sense is passed over.
func entryQuery(v url.Values) store.AuditQuery {
	q := store.AuditQuery{Action: web.Short(v.Get("action")), Object: web.Short(v.Get("object")), Limit: auditLength}
	by := web.Short(strings.TrimSpace(v.Get("actor")))
	var err error
	if q.Actor, err = strconv.ParseInt(by, 10, 64); err != nil {
		q.By = by
	}
	q.Before, _ = strconv.ParseInt(v.Get("before"), 10, 64)
	return q
}

// olderThan asks for the next page, which begins below a line.
func olderThan(q store.AuditQuery, line int64) url.Values {
	v := url.Values{"before": {strconv.FormatInt(line, 10)}}
	for name, value := range map[string]string{"action": q.Action, "object": q.Object, "actor": q.By} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if q.Actor != 0 {
		v.Set("actor", strconv.FormatInt(q.Actor, 10))
	}
	return v
}
