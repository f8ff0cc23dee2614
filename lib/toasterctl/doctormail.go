package main

import (
	"context"
	"time"

	"toaster.do/lib/config"
	"toaster.do/lib/jenkins"
	"toaster.do/lib/mail"
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
	if err := mail.Check(ctx, cfg.Mail); err != nil {
		f.OK, f.Problem, f.Advice = false, err.Error(), "Look at [mail] in "+cfg.Path+": host, port, tls, user and password_file."
	}
	return f
}
