package auth

import (
	"context"
	"fmt"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

// The secret of a second factor is stored sealed: whoever gets hold of the database alone has no second factor, neither
// codes nor what recovery codes are salted with. It is bound to its user. A secret by itself, as it was stored once,
// has another length than a sealed one.
type seals struct{ config.Seals }

func (a *Accounts) seals() (seals, error) {
	all, err := a.cfg.Seals("toaster: second factors")
	return seals{all}, err
}

func ofUser(id int64) []byte { return fmt.Appendf(nil, "user %d", id) }

func (s seals) seal(user int64, secret []byte) []byte {
	return s.Seal(secret, ofUser(user))
}

// open returns a user's secret, and whether it is sealed with the newest key. Internal: no key of the site's opens it.
func (s seals) open(p *store.User) (secret []byte, newest bool, err error) {
	if len(p.TOTP) == secretLength {
		return p.TOTP, false, nil
	}
	if secret, newest, err := s.Open(p.TOTP, ofUser(p.ID)); err == nil && len(secret) == secretLength {
		return secret, newest, nil
	}
	return nil, false, apperr.New(apperr.Internal,
		"The authentication code can't be checked: this site no longer has the keys for it.",
		"Ask the administrator to disable two-factor authentication for your account.")
}

// secret returns the secret of a user's second factor, and the seals to store it with.
func (a *Accounts) secret(p *store.User) (secret []byte, newest bool, s seals, err error) {
	if s, err = a.seals(); err != nil {
		return nil, false, s, err
	}
	secret, newest, err = s.open(p)
	return secret, newest, s, err
}

// Sealing is how the second factors of a site are stored.
type Sealing struct {
	Stale int // not sealed, or not with the newest key
	Lost  int // sealed with keys that the site doesn't have
}

// Sealing looks at all second factors.
func (a *Accounts) Sealing(ctx context.Context) (Sealing, error) {
	return a.eachFactor(ctx, func(*store.User, []byte) error { return nil })
}

// SealFactors seals those with the newest key that are stale. What is lost stays as it is.
func (a *Accounts) SealFactors(ctx context.Context) (Sealing, error) {
	return a.eachFactor(ctx, func(p *store.User, sealed []byte) error { return a.db.Reseal(ctx, p.ID, p.TOTP, sealed) })
}

// eachFactor calls do with each user whose second factor is stale, and with what it should be.
func (a *Accounts) eachFactor(ctx context.Context, do func(*store.User, []byte) error) (n Sealing, err error) {
	users, err := a.db.Users(ctx)
	if err != nil {
		return n, err
	}
	var s seals // without second factors no keys are needed
	for _, p := range users {
		if !p.HasFactor() {
			continue
		}
		if s.Seals == nil {
			if s, err = a.seals(); err != nil {
				return n, err
			}
		}
		secret, newest, err := s.open(p)
		switch {
		case err != nil:
			n.Lost++
			continue
		case newest:
			continue
		}
		n.Stale++
		if err := do(p, s.seal(p.ID, secret)); err != nil {
			return n, err
		}
	}
	return n, nil
}
