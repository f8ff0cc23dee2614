package web

import (
	"log/slog"
	"time"

	"toaster.do/lib/auth/session"
	"toaster.do/lib/store"
)

// noticing is how often the log says that a proxy hides who sends requests.
const noticing = time.Hour

// noticeProxy says in the log, once in a while, and to "toasterctl doctor" that a proxy hides who sends requests.
// That is no reason to fail.
func (r *Request) noticeProxy() {
	if _, hidden := session.Proxied(r.Request); !hidden {
		return
	}
	now, db := time.Now(), r.Site.store
	text, err := db.Setting(r.Context(), session.ProxyFact)
	if last, _ := time.Parse(time.RFC3339, text); err != nil || now.Sub(last) < noticing {
		return
	}
	if db.SetSetting(store.Patience(r.Context(), 0), session.ProxyFact, now.UTC().Format(time.RFC3339)) == nil {
		r.Log().Warn("a proxy hides who sends requests: run “toasterctl doctor”",
			slog.String("proxy", r.RemoteAddr))
	}
}
