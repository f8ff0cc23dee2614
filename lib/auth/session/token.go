package session

import (
	"context"
	"net/http"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
)

// tokenStore is what API tokens need of the database.
type tokenStore interface {
	TokenByDigest(ctx context.Context, digest []byte) (*store.Token, *store.User, error)
	TouchToken(ctx context.Context, id int64, at time.Time) error
}

// bearer returns the token of an "Authorization: Bearer" header (RFC 6750, 2.1). Other schemes are not ours: the web
// server may ask for a password of its own.
func bearer(r *http.Request) (plain string, ok bool) {
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(rest), strings.EqualFold(scheme, "Bearer")
}

// HasToken tells whether a request comes with a token, good or not, so that it is a program's.
func HasToken(r *http.Request) bool {
	_, ok := bearer(r)
	return ok
}

// byToken finds the user of a token. Only wrong ones count as tries, so that one client's mistakes don't keep
// others behind the same address out.
func (m *Manager) byToken(r *http.Request, plain string) (Identity, error) {
	t, p, err := m.token(r, plain)
	if err != nil {
		return Identity{}, err
	}
	if t == nil {
		// No waiting for others: a token can't be guessed, however often somebody tries.
		err := m.Allow(store.Patience(r.Context(), 0), "token", m.Address(r))
		if tolerable(err) != nil {
			return Identity{}, err
		}
		return Identity{}, apperr.New(apperr.Unauthenticated, "This token is invalid or has expired.",
			"Create a new one in your account, under “API tokens”.")
	}
	if now := m.Now(); now.Sub(t.UsedAt) >= precision {
		err = tolerable(m.db.TouchToken(r.Context(), t.ID, now))
	}
	return Identity{User: p, Token: t}, err
}

// token finds a token that is good now; nil if it isn't.
func (m *Manager) token(r *http.Request, plain string) (*store.Token, *store.User, error) {
	digest, ok := store.TokenDigest(plain)
	if !ok {
		return nil, nil, nil
	}
	t, p, err := m.db.TokenByDigest(r.Context(), digest)
	if apperr.KindOf(err) == apperr.NotFound {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if !p.Active() || !t.ExpiresAt.IsZero() && !m.Now().Before(t.ExpiresAt) {
		return nil, nil, nil
	}
	return t, p, nil
}
