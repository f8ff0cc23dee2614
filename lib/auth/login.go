package auth

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
)

// loginStore is what logging in needs of the database.
type loginStore interface {
	Audit(ctx context.Context, e store.AuditEntry) error
	Forgive(ctx context.Context, t store.Tried) error
	Rehash(ctx context.Context, id int64, old string, phc string) error
	SetSetting(ctx context.Context, name string, value string) error
	Succeeded(ctx context.Context, user int64, what string, t store.Tried) error
	Tries(ctx context.Context, now time.Time, key string, most int) (n int, err error)
	Try(ctx context.Context, now time.Time, limits ...store.Limit) (t store.Tried, err error)
	UserByEmail(ctx context.Context, email string) (*store.User, error)
}

// LogIn returns the user whose address and password these are. A wrong password and an unknown address give the same
// Unauthenticated after the same time. Too many tries, by network address or by account, are RateLimited; too many in a
// row that failed, however slowly, are PermissionDenied. A user who isn't active is PermissionDenied, after the right
// password only. When the server hashes as many passwords as it can: Unavailable.
func (a *Accounts) LogIn(ctx context.Context, email, password, address string) (*store.User, error) {
	email = strings.TrimSpace(email)
	p, err := a.find(ctx, email)
	if err != nil {
		return nil, err
	}
	tries, err := a.admit(ctx, "login", p, email, address)
	if err != nil {
		return nil, err
	}
	phc := nobody()
	if p != nil {
		phc = p.Password
	}
	ok, stale, err := a.check(ctx, phc, password)
	if err != nil {
		return nil, errors.Join(err, a.db.Forgive(ctx, tries))
	}
	if !ok || p == nil {
		return nil, apperr.New(apperr.Unauthenticated, "The email address or the password is wrong.",
			"Check both, then try again.")
	}
	if !p.Active() {
		return nil, a.inactive(p)
	}
	if err := a.db.Succeeded(ctx, p.ID, "login", tries); err != nil {
		return nil, err
	}
	if stale {
		err = a.rehash(ctx, p, password)
	}
	return p, err
}

// Failed notes that a log-in failed: for an account that exists, and isn't under attack already, since the audit trail
// is never cut. Where there is no account it writes something as well, so that both take the same time.
func (a *Accounts) Failed(ctx context.Context, email string, by store.AuditEntry) error {
	p, err := a.find(ctx, strings.TrimSpace(email))
	if err != nil {
		return err
	}
	n, err := a.db.Tries(ctx, a.Now(), "login:account:"+accountKey(strings.TrimSpace(email)), pressure)
	if err != nil {
		return err
	}
	if p == nil || n >= pressure {
		return a.db.SetSetting(ctx, "login.fail", a.Now().UTC().Format(time.RFC3339))
	}
	by.Object = fmt.Sprintf("user %d", p.ID)
	return a.db.Audit(ctx, by)
}

// nobody is the stored password where there is no account: the answer takes as long as another.
func nobody() string { return encode(current, make([]byte, saltLength), make([]byte, hashLength)) }

// find returns the user of an address, nil if there is none.
func (a *Accounts) find(ctx context.Context, email string) (*store.User, error) {
	p, err := a.db.UserByEmail(ctx, email)
	if apperr.KindOf(err) == apperr.NotFound {
		return nil, nil
	}
	return p, err
}

// verify makes sure that somebody who has a link knows the password that was typed where it was asked for:
// Unauthenticated, RateLimited, or PermissionDenied.
func (a *Accounts) verify(ctx context.Context, l *store.EmailToken, password, address string) error {
	key := "link:" + hex.EncodeToString(l.Digest)
	limits := append(store.FromNetworks("activate", address, store.Guesses),
		store.Limit{Key: key, InARow: trusted, UserID: l.UserID, What: "link"})
	tries, err := a.db.Try(ctx, a.Now(), limits...)
	if apperr.KindOf(err) == apperr.PermissionDenied && err != nil {
		return apperr.New(apperr.PermissionDenied, "Too many wrong passwords for this link.", "Sign up again.")
	}
	if err != nil {
		return err
	}
	ok, _, err := a.check(ctx, l.Password, password)
	if err != nil {
		return errors.Join(err, a.db.Forgive(ctx, tries))
	}
	if !ok {
		return apperr.New(apperr.Unauthenticated, "The password is wrong.",
			"Enter the password that you chose when you signed up. If you forgot it, sign up again.").At("password")
	}
	return a.db.Forgive(ctx, tries)
}

// check compares a password when a slot is free.
func (a *Accounts) check(ctx context.Context, phc, password string) (ok, stale bool, err error) {
	limitErr := a.hashLimit.do(ctx, func() { ok, stale, err = CheckPassword(phc, password) })
	if limitErr != nil {
		return false, false, limitErr
	}
	return ok, stale, err
}

// hash hashes a password when a slot is free.
func (a *Accounts) hash(ctx context.Context, password string) (phc string, err error) {
	err = a.hashLimit.do(ctx, func() { phc = HashPassword(password) })
	return phc, err
}

func (a *Accounts) rehash(ctx context.Context, p *store.User, password string) error {
	phc, err := a.hash(ctx, password)
	if err != nil {
		return err
	}
	return a.db.Rehash(ctx, p.ID, p.Password, phc)
}

func (a *Accounts) inactive(p *store.User) error {
	switch {
	case p.State == store.Pending && p.VerifiedAt.IsZero() && a.cfg.Mail.On():
		return apperr.New(apperr.PermissionDenied, "This account is not active yet.",
			"Open the link in the email that was sent to you, or request another one below.")
	case p.State == store.Pending:
		return apperr.New(apperr.PermissionDenied, "This account is not active yet.", "An administrator has to activate it.")
	}
	return apperr.New(apperr.PermissionDenied, "This account is suspended.", "Ask the administrator for the reason.")
}
