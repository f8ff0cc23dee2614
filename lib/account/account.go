// Package account keeps people's accounts: passwords, log-in, API tokens.
package account

import (
	"context"
	"errors"
	"time"

	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

// Accounts are all accounts of a site.
type Accounts struct {
	Now func() time.Time // the clock

	db *store.DB
}

// New returns the accounts in db.
func New(cfg *config.Config, db *store.DB) *Accounts { return &Accounts{Now: time.Now, db: db} }

// NewPerson is what an account is made from.
type NewPerson struct {
	Email    string
	Name     string // may be empty
	Password string
	Admin    bool
}

// LogIn returns the person whose address and password these are. A wrong password and an unknown address give the
// same Unauthorised after the same time. Too many tries, by network address or by account, are Limited. A suspended
// person with the right password is Denied. When the server hashes as many passwords as it can: Unavailable.
func (a *Accounts) LogIn(ctx context.Context, email, password, address string) (*store.Person, error) {
	return nil, errors.New("not written yet")
}

// Add makes an active account. A value that won't do is Invalid, an address in use a Conflict, both with the Field "email", "name" or "password".
func (a *Accounts) Add(ctx context.Context, n NewPerson) (*store.Person, error) {
	return nil, errors.New("not written yet")
}

// SetPassword changes a person's password and ends their sessions.
func (a *Accounts) SetPassword(ctx context.Context, email, password string) error {
	return errors.New("not written yet")
}

// List returns all accounts by address.
func (a *Accounts) List(ctx context.Context) ([]*store.Person, error) { return a.db.People(ctx) }
