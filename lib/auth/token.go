package auth

import (
	"context"
	"errors"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
)

// tokenStore is what API tokens need of the database.
type tokenStore interface {
	AddToken(ctx context.Context, t *store.Token, mail store.Mail, e store.AuditEntry) (plain string, err error)
	RemoveToken(ctx context.Context, user int64, id int64, e store.AuditEntry) error
	Tokens(ctx context.Context, user int64) (found []*store.Token, err error)
}

// CheckToken says all that is wrong with a new token: InvalidArgument at the Field "name", "scope" or "ttl".
func CheckToken(name string, scope store.Scope, ttl time.Duration) error {
	var wrong []error
	if name = strings.TrimSpace(name); name == "" || !isLine(name, 100) {
		wrong = append(wrong, apperr.New(apperr.InvalidArgument, "The token needs a name of at most 100 characters.",
			"Enter a name.").At("name"))
	}
	if !scope.Valid() {
		wrong = append(wrong, apperr.New(apperr.InvalidArgument, "This scope does not exist.",
			"Use “read” or “write”.").At("scope"))
	}
	if ttl < 0 {
		wrong = append(wrong, apperr.New(apperr.InvalidArgument, "The expiration date of the token is in the past.",
			"Enter a longer time, or 0 for unlimited.").At("ttl"))
	}
	return errors.Join(wrong...)
}

// AddToken makes an API token for a user and returns its plain form, which is stored nowhere. A ttl of 0
// means that it never expires. The user is told by email. InvalidArgument: the Field "name", "scope" or "ttl".
func (a *Accounts) AddToken(ctx context.Context, email, name string, scope store.Scope,
	ttl time.Duration, by store.AuditEntry) (plain string, err error) {
	name = strings.TrimSpace(name)
	if err := CheckToken(name, scope, ttl); err != nil {
		return "", err
	}
	p, err := a.user(ctx, email)
	if err != nil {
		return "", err
	}
	if scope == store.ScopeMetrics && !p.IsAdmin() {
		return "", apperr.New(apperr.PermissionDenied, "The metrics of this site are for administrators.",
			"Use “read” or “write”.").At("scope")
	}
	t := &store.Token{UserID: p.ID, Name: name, Scope: scope, CreatedAt: a.Now()}
	if ttl > 0 {
		t.ExpiresAt = t.CreatedAt.Add(ttl)
	}
	by.Action, by.Detail = "token.add", string(scope)
	mail := a.news(p.Email, "New API token",
		"Your account has a new token “"+name+"” with the scope “"+string(scope)+"”.")
	return a.db.AddToken(ctx, t, mail, by)
}

// Tokens lists a user's tokens, oldest first.
func (a *Accounts) Tokens(ctx context.Context, email string) ([]*store.Token, error) {
	p, err := a.user(ctx, email)
	if err != nil {
		return nil, err
	}
	return a.db.Tokens(ctx, p.ID)
}

// RemoveToken removes a user's token by its id; NotFound if they have none like that.
func (a *Accounts) RemoveToken(ctx context.Context, email string, id int64, by store.AuditEntry) error {
	p, err := a.user(ctx, email)
	if err != nil {
		return err
	}
	by.At = a.Now()
	return a.db.RemoveToken(ctx, p.ID, id, by)
}
