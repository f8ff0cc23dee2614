package account

import (
	"context"
	"errors"
	"time"

	"toaster.do/lib/store"
)

// AddToken makes an API token for a person and returns its plain form, which is stored nowhere. The scope is
// "read" or "write"; a ttl of 0 means that the token never expires.
func (a *Accounts) AddToken(ctx context.Context, email, name, scope string, ttl time.Duration) (plain string, err error) {
	return "", errors.New("not written yet")
}

// Tokens lists a person's tokens, oldest first.
func (a *Accounts) Tokens(ctx context.Context, email string) ([]*store.Token, error) {
	return nil, errors.New("not written yet")
}

// RemoveToken removes a person's token by its id; NotFound if they have none like that.
func (a *Accounts) RemoveToken(ctx context.Context, email string, id int64) error {
	return errors.New("not written yet")
}
