package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
)

// How long links in emails work.
const (
	activateLife = 24 * time.Hour
	recoverLife  = time.Hour
	addressLife  = 24 * time.Hour
)

// signupStore is what signing up needs of the database.
type signupStore interface {
	Activate(ctx context.Context, l *store.EmailToken, state store.UserState, now time.Time,
		mails []store.Mail, e store.AuditEntry) error
	ActivateUser(ctx context.Context, id int64, mail store.Mail, e store.AuditEntry) error
	Administrators(ctx context.Context) (found []string, err error)
	FindEmailToken(ctx context.Context, kind store.EmailTokenKind, secret string, now time.Time) (*store.EmailToken,
		*store.User, error)
	SendEmailToken(ctx context.Context, user int64, l store.EmailToken, mails ...store.Mail) error
	SignUp(ctx context.Context, p *store.User, l store.EmailToken, invitation store.Mail, taken store.Mail,
		e store.AuditEntry) error
	UserByID(ctx context.Context, id int64) (*store.User, error)
}

func hours(d time.Duration) string {
	if d == time.Hour {
		return "an hour"
	}
	return fmt.Sprintf("%d hours", d/time.Hour)
}

// Open tells whether users can sign up.
func (a *Accounts) Open() bool { return a.cfg.Signup.Mode != "closed" }

// SignUp takes what somebody typed who wants an account. Whether the address has one already shows in the email that it
// gets, and in nothing else. InvalidArgument: the Field "email", "name" or "password". PermissionDenied: nobody can
// sign up.
func (a *Accounts) SignUp(ctx context.Context, n NewUser, by store.AuditEntry) error {
	if !a.Open() {
		return apperr.New(apperr.PermissionDenied, "Sign-up is disabled.", "Ask the administrator for an account.")
	}
	n.Email, n.Name = strings.TrimSpace(n.Email), strings.TrimSpace(n.Name)
	wrong := n.check()
	if apperr.At(apperr.All(wrong), "email") == nil {
		wrong = errors.Join(a.admitDomain(n.Email), wrong)
	}
	if apperr.At(apperr.All(wrong), "password") == nil {
		wrong = errors.Join(wrong, a.hardToGuess(ctx, n.Password, n.Email, n.Name))
	}
	if wrong != nil {
		return wrong
	}
	phc, err := a.hash(ctx, n.Password)
	if err != nil {
		return err
	}
	p := &store.User{Email: n.Email, Name: n.Name, Role: store.RoleUser, State: store.Pending, Password: phc, MaxJobs: -1,
		CreatedAt: a.Now()}
	link, secret := a.link(store.KindActivate, n.Email, activateLife)
	return a.db.SignUp(ctx, p, link, a.invitation(n.Email, secret), a.takenMail(n.Email), by)
}

// link makes a link; without mail set up it is none.
func (a *Accounts) link(kind store.EmailTokenKind, email string, life time.Duration) (store.EmailToken, string) {
	if !a.cfg.Mail.On() {
		return store.EmailToken{}, ""
	}
	return store.NewEmailToken(kind, email, a.Now(), life)
}

// admitDomain refuses addresses of domains that may not sign up.
func (a *Accounts) admitDomain(email string) error {
	domains := a.cfg.Signup.Domains
	_, domain, _ := strings.Cut(email, "@")
	if len(domains) == 0 || slices.ContainsFunc(domains, func(d string) bool { return strings.EqualFold(d, domain) }) {
		return nil
	}
	return apperr.New(apperr.InvalidArgument, "Accounts on this site need an address of %s.",
		"Use such an address, or ask the administrator.", strings.Join(domains, ", ")).At("email")
}

// Resend posts another link to somebody who has signed up. As nobody knows who asks for it, it stands for none of
// the passwords that were typed with the address: who opens it chooses one. Nothing tells whether there is somebody.
// InvalidArgument: this is no address; the Field "email". PermissionDenied: there is no mail on this site.
func (a *Accounts) Resend(ctx context.Context, email string) error {
	p, err := a.mailed(ctx, email)
	if err != nil || p == nil || p.State != store.Pending || !p.VerifiedAt.IsZero() {
		return err
	}
	link, secret := a.link(store.KindRecover, p.Email, activateLife)
	return a.db.SendEmailToken(ctx, p.ID, link, a.secondInvitation(p.Email, secret))
}

// Linked returns the address that a link was sent to. NotFound: it doesn't
// work any more.
func (a *Accounts) Linked(ctx context.Context, kind store.EmailTokenKind, secret string) (email string, err error) {
	l, _, err := a.db.FindEmailToken(ctx, kind, secret, a.Now())
	if err != nil {
		return "", err
	}
	return l.Email, nil
}

// Activate makes the account of a link active for somebody who also knows the password that was typed where this
// very link was asked for: a stranger may have signed up with another's address, before or after them. The user is
// still pending where an administrator has to approve. Unauthenticated: the password is wrong. NotFound: the link
// doesn't work any more.
func (a *Accounts) Activate(ctx context.Context, secret, password, address string, by store.AuditEntry) (*store.User,
	error) {
	l, p, err := a.db.FindEmailToken(ctx, store.KindActivate, secret, a.Now())
	if err != nil {
		return nil, err
	}
	if err := a.verify(ctx, l, password, address); err != nil {
		return nil, err
	}
	state, mails, err := a.approval(ctx, p.Email)
	if err != nil {
		return nil, err
	}
	by.Actor = p.ID
	if err := a.db.Activate(ctx, l, state, a.Now(), mails, by); err != nil {
		return nil, err
	}
	return a.db.UserByID(ctx, p.ID)
}

// approval returns the state of somebody who has just proven an address, and the emails to those who have to approve.
func (a *Accounts) approval(ctx context.Context, email string) (state store.UserState, mails []store.Mail, err error) {
	if a.cfg.Signup.Mode != "approval" {
		return store.Active, nil, nil
	}
	admins, err := a.db.Administrators(ctx)
	for _, to := range admins {
		mails = append(mails, a.approvalMail(to, email))
	}
	return store.Pending, mails, err
}

// Approve makes a user active, whoever they are, and tells them.
func (a *Accounts) Approve(ctx context.Context, p *store.User, by store.AuditEntry) error {
	return a.db.ActivateUser(ctx, p.ID, a.activatedMail(p.Email), by)
}
