package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

const (
	batch    = 50               // emails that one run sends at most
	patience = 72 * time.Hour   // after which an email is given up
	first    = time.Minute      // until the second try; each further one takes twice as long …
	longest  = 4 * time.Hour    // … up to this
	claim    = 10 * time.Minute // how long another process leaves an email alone that one is sending
	shown    = 300              // characters of a problem that are stored
)

// mailStore is what sending needs of the database.
type mailStore interface {
	ClaimMail(ctx context.Context, id int64, now time.Time, until time.Time) (mine bool, err error)
	DeferMail(ctx context.Context, id int64, problem string, next time.Time) error
	DeleteMail(ctx context.Context, id int64) error
	DueMails(ctx context.Context, now time.Time, most int) (found []store.Mail, err error)
}

// Deliver sends the emails that are due. One that fails waits, longer each time; one that the server refuses, or that
// has
// failed for three days, is given up, which the log tells. It returns how many were sent. Unavailable: the server was
// away, or some email failed; all is as it should be for the next run.
func Deliver(ctx context.Context, cfg *config.Config, db mailStore, now func() time.Time, log *slog.Logger) (sent int,
	err error) {
	if !cfg.Mail.On() {
		return 0, nil
	}
	mails, err := db.DueMails(ctx, now(), batch)
	if err != nil {
		return 0, err
	}
	var last error
	for _, l := range mails {
		if ctx.Err() != nil {
			break
		}
		mine, err := db.ClaimMail(ctx, l.ID, now(), now().Add(claim))
		if err != nil {
			return sent, err
		}
		if !mine {
			continue
		}
		problem := Send(ctx, cfg.Mail, l)
		if err := book(ctx, db, now(), l, problem, log); err != nil {
			return sent, err
		}
		if problem == nil {
			sent++
			continue
		}
		last = problem
		if gone := (*away)(nil); errors.As(problem, &gone) {
			break // the others would wait as long for it
		}
	}
	if last != nil {
		return sent, apperr.Wrap(apperr.Unavailable, last, "An email could not be sent.",
			"It is retried, less and less often. See the log for the reason.")
	}
	return sent, nil
}

// book writes down what became of an email, also when the process is being stopped.
func book(ctx context.Context, db mailStore, now time.Time, l store.Mail, problem error, log *slog.Logger) error {
	ctx = context.WithoutCancel(ctx)
	refused := (*Refused)(nil)
	switch {
	case problem == nil:
		return db.DeleteMail(ctx, l.ID)
	case errors.As(problem, &refused) || now.Sub(l.CreatedAt) >= patience:
		log.Error("an email is given up", "recipient", l.Recipient, "subject", l.Subject, "tries", l.Tries+1, "error",
			problem)
		return db.DeleteMail(ctx, l.ID)
	}
	text := fmt.Sprint(problem)
	log.Warn("an email was not sent, and is retried", "email", l.ID, "tries", l.Tries+1, "error", problem)
	return db.DeferMail(ctx, l.ID, text[:min(len(text), shown)], now.Add(wait(l.Tries)))
}

// wait is how long to wait after a number of failures and one more.
func wait(failures int) time.Duration {
	if failures > 10 {
		return longest
	}
	return min(first<<failures, longest)
}
