// Package session knows who is asking: it ties a signed cookie to a row in the database, or a Bearer token
// to its user, and keeps other sites' pages and guessers out.
package session

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/securecookie"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

// Identity says who sent a request. The zero Identity is nobody.
type Identity struct {
	User    *store.User  // nil: nobody
	Session int64        // the session's row; 0 with a token
	Token   *store.Token // nil with a cookie
	Expired *store.User  // the cookie is genuine, but its session is over: whose it was
}

// MayWrite tells whether the request may change something: a session may, a token with ScopeWrite too.
func (i Identity) MayWrite() bool {
	return i.User != nil && (i.Token == nil || i.Token.Scope == store.ScopeWrite)
}

// sessionStore is what sessions need of the database.
type sessionStore interface {
	AddSession(ctx context.Context, s *store.Session, digest []byte, old []byte, by ...store.AuditEntry) error
	EndSession(ctx context.Context, digest []byte, at time.Time, by ...store.AuditEntry) error
	SessionByDigest(ctx context.Context, digest []byte) (*store.Session, *store.User, error)
	TouchSession(ctx context.Context, id int64, at time.Time) error
	Try(ctx context.Context, now time.Time, limits ...store.Limit) (t store.Tried, err error)
	draftStore
	tokenStore
}

// Manager makes, finds and ends sessions.
type Manager struct {
	Now    func() time.Time           // the clock
	Prefix func(*http.Request) string // the path that the site is mounted under, "" or "/toaster", for the cookie's Path

	cfg    *config.Config
	db     sessionStore
	keys   [][]byte // the site's, in pairs, newest first
	codecs []securecookie.Codec
}

// New reads the keys of cfg. An error tells the administrator what to do.
func New(cfg *config.Config, db sessionStore) (*Manager, error) {
	keys, err := cfg.KeyPairs()
	if err != nil {
		return nil, err
	}
	prefix := func(*http.Request) string { return cfg.Site.Prefix }
	return &Manager{Now: time.Now, Prefix: prefix, cfg: cfg, db: db, keys: keys, codecs: codecs(cfg, keys)}, nil
}

// Identify tells who sent the request. One with a Bearer token is judged by that alone: a wrong or expired token is
// Unauthenticated, or RateLimited after too many, whatever the cookie says. Without a token, a cookie that isn't good
// makes the request nobody's; that is no error.
func (m *Manager) Identify(r *http.Request) (Identity, error) {
	if plain, ok := bearer(r); ok {
		return m.byToken(r, plain)
	}
	digest := m.digest(r)
	if digest == nil {
		return Identity{}, nil
	}
	s, p, err := m.db.SessionByDigest(r.Context(), digest)
	if apperr.KindOf(err) == apperr.NotFound {
		return Identity{}, nil
	}
	if err != nil {
		return Identity{}, err
	}
	now := m.Now()
	switch {
	case !p.Active():
		return Identity{}, nil
	case !s.EndedAt.IsZero() || !now.Before(s.ExpiresAt) || now.Sub(s.SeenAt) >= m.cfg.Session.Idle:
		return Identity{Expired: p}, nil
	}
	if now.Sub(s.SeenAt) >= precision {
		err = tolerable(m.db.TouchSession(r.Context(), s.ID, now))
	}
	return Identity{User: p, Session: s.ID}, err
}

// precision is how exactly the last use of sessions and tokens is known: most requests write nothing.
const precision = time.Minute

// tolerable forgives that a use can't be noted: pages can be read while the disk is full.
func tolerable(err error) error {
	if k := apperr.KindOf(err); err != nil && k != apperr.StorageFull && k != apperr.Unavailable {
		return err
	}
	return nil
}

// Begin logs p in: a new random id, always; the session that the request came with ends. The lines are for the audit
// trail.
func (m *Manager) Begin(w http.ResponseWriter, r *http.Request, p *store.User, by ...store.AuditEntry) error {
	id := make([]byte, 32)
	rand.Read(id) // never fails (crypto/rand)
	now := m.Now()
	s := &store.Session{
		UserID: p.ID, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(m.cfg.Session.MaxAge),
		Address: m.Address(r), Agent: agent(r),
	}
	if err := m.db.AddSession(r.Context(), s, digestOf(id), m.digest(r), by...); err != nil {
		return err
	}
	return m.give(w, r, id)
}

// End logs out: the session is over on the server, and the browser is told to forget its cookie.
func (m *Manager) End(w http.ResponseWriter, r *http.Request, by ...store.AuditEntry) error {
	if digest := m.digest(r); digest != nil {
		if err := m.db.EndSession(r.Context(), digest, m.Now(), by...); err != nil {
			return err
		}
	}
	c := m.cookie(r)
	c.MaxAge = -1
	http.SetCookie(w, c)
	return nil
}

// Address returns the network address that the request came from, as the web server says, without the port. Where a
// proxy hides it, it is what the proxy says, marked as that: see Proxied.
func (m *Manager) Address(r *http.Request) string {
	host := remote(r)
	if client, hidden := Proxied(r); hidden {
		return store.Through(client, host)
	}
	return host
}

// Allow counts a try of something from an address. Too many are RateLimited: 5 in 10 seconds, then slower.
func (m *Manager) Allow(ctx context.Context, what, address string) error {
	_, err := m.db.Try(ctx, m.Now(), store.FromNetworks(what, address, store.Guesses)...)
	return err
}

// agent is what the browser calls itself, cut so that it can be stored and shown.
func agent(r *http.Request) string {
	a := r.UserAgent()
	return strings.ToValidUTF8(a[:min(len(a), 200)], "")
}
