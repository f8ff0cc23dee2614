package auth

import (
	"context"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
)

// addressStore is what a change of address needs of the database.
type addressStore interface {
	FindEmailToken(ctx context.Context, kind store.EmailTokenKind, secret string, now time.Time) (*store.EmailToken,
		*store.User, error)
	QueueMail(ctx context.Context, now time.Time, l store.Mail) (posted bool, err error)
	SendEmailToken(ctx context.Context, user int64, l store.EmailToken, mails ...store.Mail) error
	SetAddress(ctx context.Context, l *store.EmailToken, now time.Time, mail store.Mail, e store.AuditEntry) error
}

// ChangeAddress posts a link to the address that a user wants to have, and tells the one that they have. Whether the
// new one has an account already shows in the email that it gets, and in nothing else. InvalidArgument: the Field
// "email" or "confirm". PermissionDenied: there is no mail on this site.
func (a *Accounts) ChangeAddress(ctx context.Context, p *store.User, email, password string) error {
	if !a.cfg.Mail.On() {
		return apperr.New(apperr.PermissionDenied, "This site sends no emails, so you can't confirm a new address.",
			"Ask the administrator.")
	}
	email = strings.TrimSpace(email)
	wrong := checkEmail(email)
	if wrong == nil && strings.EqualFold(email, p.Email) {
		wrong = apperr.New(apperr.InvalidArgument, "This is your current address.", "").At("email")
	}
	if wrong == nil && !p.IsAdmin() {
		wrong = a.admitDomain(email)
	}
	if err := a.confirmed(ctx, p, password, "confirm", wrong); err != nil {
		return err
	}
	other, err := a.find(ctx, email)
	if err != nil {
		return err
	}
	if other != nil {
		_, err := a.db.QueueMail(ctx, a.Now(), a.takenMail(other.Email))
		return err
	}
	link, secret := a.link(store.KindAddress, email, addressLife)
	return a.db.SendEmailToken(ctx, p.ID, link, a.addressMail(email, secret),
		a.news(p.Email, "New email address", "The email address of your account will change to "+email+" when the link "+
			"that was sent there is opened."))
}

// ConfirmAddress gives the user of a link the address that it was sent to. NotFound: it doesn't work any more.
// AlreadyExists: the address has an account meanwhile.
func (a *Accounts) ConfirmAddress(ctx context.Context, secret string, by store.AuditEntry) error {
	l, p, err := a.db.FindEmailToken(ctx, store.KindAddress, secret, a.Now())
	if err != nil {
		return err
	}
	mail := a.mail(store.AccountMail, p.Email, "New email address at "+a.cfg.Site.Name,
		"The email address of your account is now "+l.Email+". No more emails are sent to this address.",
		"If this wasn't you, somebody else uses your account. Contact the administrator.")
	by.Actor = p.ID
	return a.db.SetAddress(ctx, l, a.Now(), mail, by)
}
