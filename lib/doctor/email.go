package doctor

import (
	"context"
	"time"

	"toaster.do/lib/doctor/check"
	"toaster.do/lib/mail"
)

// email says whether emails could be sent.
func (s Site) email(ctx context.Context) check.Result {
	if !s.Mail.On() {
		return check.OK("email", "disabled: administrators activate accounts")
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	what := "email by " + s.Mail.Host + s.Mail.Sendmail
	if err := mail.Check(ctx, s.Mail); err != nil {
		return check.Fail(what, err.Error(), "Check [mail] in "+s.Path+": host, port, tls, user and password_file.")
	}
	if s.Mail.Sendmail != "" {
		return check.Skip(what, "can't test without sending whether "+s.Mail.Sendmail+" delivers email; sender "+s.Mail.From)
	}
	return check.OK(what, "sender "+s.Mail.From)
}
