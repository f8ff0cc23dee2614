package auth

import (
	"context"
	"errors"
	"strings"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
)

// Recover posts a link for a new password to an address that has an account. Nothing tells whether it has.
// Invalid: this is no address; the Field "email". Denied: there is no mail on this site.
func (a *Accounts) Recover(ctx context.Context, email string) error {
	p, err := a.mailed(ctx, email)
	if err != nil || p == nil || p.State == "suspended" {
		return err
	}
	link, secret := a.link("recover", p.Email, recoverLife)
	return a.db.SendLink(ctx, p.ID, link, a.recoverLetter(p.Email, secret))
}

// mailed finds the person of an address that a letter shall go to; nil if there is none.
func (a *Accounts) mailed(ctx context.Context, email string) (*store.Person, error) {
	if !a.cfg.Mail.On() {
		return nil, apperr.New(apperr.Denied, "This site sends no emails.", "Ask the administrator.")
	}
	email = strings.TrimSpace(email)
	if err := checkEmail(email); err != nil {
		return nil, err
	}
	return a.find(ctx, email)
}

// Reset gives the person of a link a new password, and logs them out everywhere; with tokens their API tokens go, too. Who had signed up has proven the address by it.
// Invalid: the Field "password". NotFound: the link doesn't work any more.
func (a *Accounts) Reset(ctx context.Context, secret, password string, tokens bool, by store.Entry) (*store.Person, error) {
	l, p, err := a.db.FindLink(ctx, "recover", secret, a.Now())
	if err != nil {
		return nil, err
	}
	phc, err := a.newPassword(ctx, p, password)
	if err != nil {
		return nil, err
	}
	state, letters, err := a.approval(ctx, p.Email)
	if err != nil {
		return nil, err
	}
	letter := a.news(p.Email, "New password", "The password of your account was changed with a link that was sent to this address.")
	by.Actor = p.ID
	if err := a.db.ResetPassword(ctx, l, phc, state, tokens, a.Now(), letter, letters, by); err != nil {
		return nil, err
	}
	return a.db.PersonByID(ctx, p.ID)
}

// newPassword checks and hashes a password that a person chose.
func (a *Accounts) newPassword(ctx context.Context, p *store.Person, password string) (phc string, err error) {
	if err := a.mayChoose(ctx, p, password); err != nil {
		return "", err
	}
	return a.hash(ctx, password)
}

func (a *Accounts) mayChoose(ctx context.Context, p *store.Person, password string) error {
	if err := checkPassword(password); err != nil {
		return err
	}
	return a.hardToGuess(ctx, password, p.Email, p.Name)
}

// confirmed is Confirm for a form with other fields, of which wrong says what is wrong with them: all is told at once.
func (a *Accounts) confirmed(ctx context.Context, p *store.Person, password, field string, wrong error) error {
	err := a.Confirm(ctx, p, password)
	if err != nil && apperr.KindOf(err) != apperr.Invalid {
		return err
	}
	return errors.Join(at(err, field), wrong)
}

// ChangePassword gives a person who knows the old password a new one, and logs them out everywhere but in the session keep; with tokens
// their API tokens go, too. Invalid: the Field "old" or "password".
func (a *Accounts) ChangePassword(ctx context.Context, p *store.Person, keep int64, old, password string, tokens bool, by store.Entry) error {
	if err := a.confirmed(ctx, p, old, "old", a.mayChoose(ctx, p, password)); err != nil {
		return err
	}
	phc, err := a.hash(ctx, password)
	if err != nil {
		return err
	}
	letter := a.news(p.Email, "New password", "The password of your account was changed in a session that was logged in.")
	return a.db.ChangePassword(ctx, p.ID, keep, phc, tokens, a.Now(), letter, by)
}

// Confirm makes sure that it is the person who sits there: Invalid at "confirm" where the password is wrong, Limited
// after too many tries, Denied after too many in a row.
func (a *Accounts) Confirm(ctx context.Context, p *store.Person, password string) error {
	tries, err := a.db.Try(ctx, a.Now(), confirmations(p)...)
	if err != nil && apperr.KindOf(err) == apperr.Denied {
		return apperr.New(apperr.Denied, "Too many wrong passwords.", "Log out and log in again.")
	}
	if err != nil {
		return err
	}
	ok, _, err := a.check(ctx, p.Password, password)
	if err != nil {
		return errors.Join(err, a.db.Forgive(ctx, tries))
	}
	if !ok {
		return apperr.New(apperr.Invalid, "The password is wrong.", "Enter the password that you log in with.").At("confirm")
	}
	return a.db.Forgive(ctx, tries)
}

// at moves a fault that belongs to a field to another field.
func at(err error, field string) error {
	if f := apperr.Of(err); f.Field != "" {
		return f.At(field)
	}
	return err
}
