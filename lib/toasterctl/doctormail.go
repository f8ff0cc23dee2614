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
	f := jenkins.Finding{What: "email", OK: true, Problem: "disabled: administrators activate accounts"}
	if !cfg.Mail.On() {
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	f.What, f.Problem = "email by "+cfg.Mail.Host+cfg.Mail.Sendmail, "sender "+cfg.Mail.From
	if cfg.Mail.Sendmail != "" {
		f.Unknown, f.Problem = true, "not checked: can't test without sending whether "+cfg.Mail.Sendmail+" delivers email; sender "+cfg.Mail.From
	}
	if err := mail.Check(ctx, cfg.Mail); err != nil {
		f.OK, f.Unknown, f.Problem, f.Advice = false, false, err.Error(), "Check [mail] in "+cfg.Path+": host, port, tls, user and password_file."
	}
	return f
}

// slow is how long a letter may wait: sync sends them every minute.
const slow = 15 * time.Minute

// outboxFinding says whether letters are sent.
func outboxFinding(ctx context.Context, cfg *config.Config) finding {
	const what = "queued emails"
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
			Advice: "Check that “toasterctl sync” runs, and its output; and [mail] in " + cfg.Path + "."}
	}
	return fine(what, fmt.Sprint(o.Waiting))
}
