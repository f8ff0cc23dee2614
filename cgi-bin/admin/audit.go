package main

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"toaster.do/lib/store"
	"toaster.do/lib/view"
	"toaster.do/lib/web"
)

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
