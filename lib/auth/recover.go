package auth

import (
	"context"
	"errors"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
)

// recoverStore is what a new password needs of the database.
type recoverStore interface {
	ChangePassword(ctx context.Context, user int64, keep int64, phc string, tokens bool, now time.Time,
		mail store.Mail, e store.AuditEntry) error
	FindEmailToken(ctx context.Context, kind store.EmailTokenKind, secret string, now time.Time) (*store.EmailToken,
		*store.User, error)
	Forgive(ctx context.Context, t store.Tried) error
	ResetPassword(ctx context.Context, l *store.EmailToken, phc string, state store.UserState, tokens bool,
		now time.Time, mail store.Mail, approvals []store.Mail, e store.AuditEntry) error
	SendEmailToken(ctx context.Context, user int64, l store.EmailToken, mails ...store.Mail) error
	Try(ctx context.Context, now time.Time, limits ...store.Limit) (t store.Tried, err error)
	UserByID(ctx context.Context, id int64) (*store.User, error)
}

// Recover posts a link for a new password to an address that has an account. Nothing tells whether it has.
// InvalidArgument: this is no address; the Field "email". PermissionDenied: there is no mail on this site.
func (a *Accounts) Recover(ctx context.Context, email string) error {
	p, err := a.mailed(ctx, email)
	if err != nil || p == nil || p.State == store.Suspended {
		return err
	}
	link, secret := a.link(store.KindRecover, p.Email, recoverLife)
	return a.db.SendEmailToken(ctx, p.ID, link, a.recoverMail(p.Email, secret))
}

// mailed finds the user of an address that an email shall go to; nil if there is none.
func (a *Accounts) mailed(ctx context.Context, email string) (*store.User, error) {
	if !a.cfg.Mail.On() {
		return nil, apperr.New(apperr.PermissionDenied, "This site sends no emails.", "Ask the administrator.")
	}
	email = strings.TrimSpace(email)
	if err := checkEmail(email); err != nil {
		return nil, err
	}
	return a.find(ctx, email)
}

// Reset gives the user of a link a new password, and logs them out everywhere; with tokens their API tokens go, too.
// Who had signed up has proven the address by it. InvalidArgument: the Field "password". NotFound: the link doesn't
// work any more.
func (a *Accounts) Reset(ctx context.Context, secret, password string, tokens bool, by store.AuditEntry) (*store.User,
	error) {
	l, p, err := a.db.FindEmailToken(ctx, store.KindRecover, secret, a.Now())
	if err != nil {
		return nil, err
	}
	phc, err := a.newPassword(ctx, p, password)
	if err != nil {
		return nil, err
	}
	state, mails, err := a.approval(ctx, p.Email)
	if err != nil {
		return nil, err
	}
	mail := a.news(p.Email, "New password", "The password of your account was changed with a link that was sent to this "+
		"address.")
	by.Actor = p.ID
	if err := a.db.ResetPassword(ctx, l, phc, state, tokens, a.Now(), mail, mails, by); err != nil {
		return nil, err
	}
	return a.db.UserByID(ctx, p.ID)
}

// newPassword checks and hashes a password that a user chose.
func (a *Accounts) newPassword(ctx context.Context, p *store.User, password string) (phc string, err error) {
	if err := a.mayChoose(ctx, p, password); err != nil {
		return "", err
	}
	return a.hash(ctx, password)
}

func (a *Accounts) mayChoose(ctx context.Context, p *store.User, password string) error {
	if err := checkPassword(password); err != nil {
		return err
	}
	return a.hardToGuess(ctx, password, p.Email, p.Name)
}

// confirmed is Confirm for a form with other fields, of which wrong says what is wrong with them: all is told at once.
func (a *Accounts) confirmed(ctx context.Context, p *store.User, password, field string, wrong error) error {
	err := a.Confirm(ctx, p, password)
	if err != nil && apperr.KindOf(err) != apperr.InvalidArgument {
		return err
	}
	return errors.Join(at(err, field), wrong)
}

// ChangePassword gives a user who knows the old password a new one, and logs them out everywhere but in the session
// keep; with tokens their API tokens go, too. InvalidArgument: the Field "old" or "password".
func (a *Accounts) ChangePassword(ctx context.Context, p *store.User, keep int64, old, password string, tokens bool,
	by store.AuditEntry) error {
	if err := a.confirmed(ctx, p, old, "old", a.mayChoose(ctx, p, password)); err != nil {
		return err
	}
	phc, err := a.hash(ctx, password)
	if err != nil {
		return err
	}
	mail := a.news(p.Email, "New password", "The password of your account was changed in a session that was logged in.")
	return a.db.ChangePassword(ctx, p.ID, keep, phc, tokens, a.Now(), mail, by)
}

// Confirm makes sure that it is the user who sits there: InvalidArgument at "confirm" where the password is wrong,
// RateLimited after too many tries, PermissionDenied after too many in a row.
func (a *Accounts) Confirm(ctx context.Context, p *store.User, password string) error {
	tries, err := a.db.Try(ctx, a.Now(), confirmations(p)...)
	if err != nil && apperr.KindOf(err) == apperr.PermissionDenied {
		return apperr.New(apperr.PermissionDenied, "Too many wrong passwords.", "Log out and log in again.")
	}
	if err != nil {
		return err
	}
	ok, _, err := a.check(ctx, p.Password, password)
	if err != nil {
		return errors.Join(err, a.db.Forgive(ctx, tries))
	}
	if !ok {
		return apperr.New(apperr.InvalidArgument, "The password is wrong.",
			"Enter the password that you log in with.").At("confirm")
	}
	return a.db.Forgive(ctx, tries)
}

// at moves an error that belongs to a field to another field.
func at(err error, field string) error {
	if f := apperr.Of(err); f.Field != "" {
		return f.At(field)
	}
	return err
}
