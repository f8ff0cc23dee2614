package auth

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"slices"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
)

// The secret of a second factor is stored sealed: whoever gets hold of the database alone has no second factor, neither
// codes nor what recovery codes are salted with. It is sealed by AES-256-GCM with a key that HKDF (RFC 5869) draws from
// one generation of the site's keys, and bound to its user. The first byte is the form's version; a secret by itself,
// as it was stored once, has another length.
const sealVersion = 1

// seals are made from the site's keys, the newest first.
type seals []cipher.AEAD

func (a *Accounts) seals() (seals, error) {
	keys, err := a.cfg.KeyPairs()
	if err != nil {
		return nil, err
	}
	var all seals
	for pair := range slices.Chunk(keys, 2) {
		key, err := hkdf.Key(sha256.New, slices.Concat(pair...), nil, "toaster: second factors", 32)
		if err != nil {
			return nil, err
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
		all = append(all, aead)
	}
	return all, nil
}

func ofUser(id int64) []byte { return fmt.Appendf(nil, "user %d", id) }

func (s seals) seal(user int64, secret []byte) []byte {
	return s[0].Seal([]byte{sealVersion}, nil, secret, ofUser(user))
}

// open returns a user's secret, and whether it is sealed with the newest key. Internal: no key of the site's opens it.
func (s seals) open(p *store.User) (secret []byte, newest bool, err error) {
	if len(p.TOTP) == secretLength {
		return p.TOTP, false, nil
	}
	if sealed, ok := bytes.CutPrefix(p.TOTP, []byte{sealVersion}); ok {
		for i, key := range s {
			if secret, err := key.Open(nil, nil, sealed, ofUser(p.ID)); err == nil && len(secret) == secretLength {
				return secret, i == 0, nil
			}
		}
	}
	return nil, false, apperr.New(apperr.Internal,
		"The authentication code can't be checked: this site no longer has the keys for it.",
		"Ask the administrator to disable two-factor authentication for your account.")
}

// secret returns the secret of a user's second factor, and the seals to store it with.
func (a *Accounts) secret(p *store.User) (secret []byte, newest bool, s seals, err error) {
	if s, err = a.seals(); err != nil {
		return nil, false, nil, err
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
		if s == nil {
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
