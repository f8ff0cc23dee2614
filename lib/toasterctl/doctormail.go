package main

import (
	"context"
	"fmt"
	"time"

	"toaster.do/lib/config"
	"toaster.do/lib/engine/jenkins"
	"toaster.do/lib/mail"
	"toaster.do/lib/store"
)

// mailFinding says whether letters could be sent.
func mailFinding(ctx context.Context, cfg *config.Config) jenkins.Finding {
	f := jenkins.Finding{What: "mail", OK: true, Problem: "none is sent, so administrators activate accounts by hand"}
	if !cfg.Mail.On() {
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	f.What, f.Problem = "mail by "+cfg.Mail.Host+cfg.Mail.Sendmail, "letters come from "+cfg.Mail.From
	if cfg.Mail.Sendmail != "" {
		f.Unknown, f.Problem = true, "not checked: only a letter would show whether "+cfg.Mail.Sendmail+" delivers any; letters come from "+cfg.Mail.From
	}
	if err := mail.Check(ctx, cfg.Mail); err != nil {
		f.OK, f.Unknown, f.Problem, f.Advice = false, false, err.Error(), "Look at [mail] in "+cfg.Path+": host, port, tls, user and password_file."
	}
	return f
}

// slow is how long a letter may wait: sync sends them every minute.
const slow = 15 * time.Minute

// outboxFinding says whether letters are sent.
func outboxFinding(ctx context.Context, cfg *config.Config) finding {
	const what = "letters that wait"
	db, err := store.Open(ctx, cfg.Paths.Database)
	if err != nil {
		return sick(what, err, "")
	}
	defer db.Close()
	o, err := db.Outbox(ctx)
	switch {
	case err != nil:
		return sick(what, err, "")
	case o.Waiting > 0 && (!cfg.Mail.On() || o.Failing > 0 || time.Since(o.Oldest) > slow):
		return finding{What: what, Problem: fmt.Sprintf("%d, the oldest of %s. %s", o.Waiting, o.Oldest.Local().Format(time.DateTime), o.Problem),
			Advice: "See whether “toasterctl sync” runs, and what it says; [mail] in " + cfg.Path + " says how letters are sent."}
	}
	return fine(what, fmt.Sprint(o.Waiting))
}
