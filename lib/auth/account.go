// Package auth keeps users' accounts: sign-up, passwords, log-in, second factor, API tokens, and the emails about them.
package auth

import (
	"context"
	"errors"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

// accountStore is what accounts need of the database.
type accountStore interface {
	AddUser(ctx context.Context, p *store.User, by ...store.AuditEntry) error
	Administrators(ctx context.Context) (found []string, err error)
	RemoveUser(ctx context.Context, user int64, now time.Time, mail store.Mail, e store.AuditEntry) error
	SetPassword(ctx context.Context, id int64, phc string, e store.AuditEntry) error
	Usage(ctx context.Context, user int64, now time.Time) (u store.Usage, err error)
	UserByEmail(ctx context.Context, email string) (*store.User, error)
	UserByID(ctx context.Context, id int64) (*store.User, error)
	Users(ctx context.Context) ([]*store.User, error)
	addressStore
	exportStore
	factorStore
	guessStore
	loginStore
	notifyStore
	recoverStore
	signupStore
	tokenStore
}

// Accounts are all accounts of a site.
type Accounts struct {
	Now      func() time.Time // the clock
	Strength Strength         // rates passwords that users choose themselves; nil: none are rated
	Contexts ContextArchive   // writes build contexts for Export
	// Changes returns the packages of a job's build that differ from an earlier build's, whose number is since; 0: that is
	// unknown. nil: emails don't tell.
	Changes func(ctx context.Context, j *store.Job, number int) (list []PackageChange, since int, err error)

	cfg       *config.Config
	db        accountStore
	hashLimit hashLimit

	browser store.Browser
}

// New returns the accounts in db.
func New(cfg *config.Config, db accountStore) *Accounts {
	return &Accounts{Now: time.Now, cfg: cfg, db: db, hashLimit: newHashLimit(cfg.Paths.Database)}
}

// From tells with which browser requests come: one that a user has logged in with before (session.Manager.Known) is
// counted by itself when it tries to log in as that user, so that whoever guesses passwords from the same network, or
// at the same account, doesn't make them wait, and doesn't shut them out.
func (a *Accounts) From(b store.Browser) *Accounts {
	a.browser = b
	return a
}

// NewUser is what an account is made from.
type NewUser struct {
	Email    string
	Name     string // may be empty
	Password string
	Admin    bool
}

// Role is the role that the account gets.
func (n NewUser) Role() store.Role {
	if n.Admin {
		return store.RoleAdmin
	}
	return store.RoleUser
}

// Add makes an active account. A value that won't do is InvalidArgument, an address in use an AlreadyExists, both with
// the Field "email", "name" or "password".
func (a *Accounts) Add(ctx context.Context, n NewUser, by ...store.AuditEntry) (*store.User, error) {
	n.Email, n.Name = strings.TrimSpace(n.Email), strings.TrimSpace(n.Name)
	if err := n.check(); err != nil {
		return nil, err
	}
	if err := a.hardToGuess(ctx, n.Password, n.Email, n.Name); err != nil {
		return nil, err
	}
	phc, err := a.hash(ctx, n.Password)
	if err != nil {
		return nil, err
	}
	p := &store.User{
		Email: n.Email, Name: n.Name, Role: n.Role(), State: store.Active, Password: phc, MaxJobs: -1, CreatedAt: a.Now(),
	}
	if err := a.db.AddUser(ctx, p, by...); err != nil {
		return nil, err
	}
	return p, nil
}

// SetPassword changes a user's password and ends all their sessions. NotFound: no such account. InvalidArgument: the
// Field "password".
func (a *Accounts) SetPassword(ctx context.Context, email, password string, by store.AuditEntry) error {
	p, err := a.user(ctx, email)
	if err != nil {
		return err
	}
	phc, err := a.newPassword(ctx, p, password)
	if err != nil {
		return err
	}
	by.At = a.Now()
	return a.db.SetPassword(ctx, p.ID, phc, by)
}

// Remove takes an account away, with all that it has: see store.RemoveUser. The engine is told by the next sync.
func (a *Accounts) Remove(ctx context.Context, p *store.User, by store.AuditEntry) error {
	mail := a.mail(store.AccountMail, p.Email, "Your account at "+a.cfg.Site.Name+" is deleted",
		"Your account was deleted, with its jobs, builds and artifacts. You get no more emails.")
	return a.db.RemoveUser(ctx, p.ID, a.Now(), mail, by)
}

// Leave is Remove for a user who gives their password: InvalidArgument at "confirm" where that is wrong.
// FailedPrecondition: the site would have no administrator any more.
func (a *Accounts) Leave(ctx context.Context, p *store.User, password string, by store.AuditEntry) error {
	if err := a.Confirm(ctx, p, password); err != nil {
		return err
	}
	if p.IsAdmin() {
		if admins, err := a.db.Administrators(ctx); err != nil || len(admins) < 2 {
			return errors.Join(err, apperr.New(apperr.FailedPrecondition, "You are the only administrator.",
				"Grant administrator rights to another user first."))
		}
	}
	return a.Remove(ctx, p, by)
}

// List returns all accounts by address.
func (a *Accounts) List(ctx context.Context) ([]*store.User, error) { return a.db.Users(ctx) }

func (a *Accounts) user(ctx context.Context, email string) (*store.User, error) {
	return a.db.UserByEmail(ctx, strings.TrimSpace(email))
}
