// Package session knows who is asking: it ties a signed cookie to a row in the database, or a Bearer token
// to its person, and keeps other sites' pages and guessers out.
package session

import (
	"errors"
	"net/http"
	"time"

	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

// Identity says who sent a request. The zero Identity is nobody.
type Identity struct {
	Person  *store.Person // nil: nobody
	Session int64         // the session's row; 0 with a token
	Token   *store.Token  // nil with a cookie
	Expired *store.Person // the cookie is genuine, but its session has run out: whose it was
}

// MayWrite tells whether the request may change something: a session may, a token with the scope "write" too.
func (i Identity) MayWrite() bool {
	return i.Person != nil && (i.Token == nil || i.Token.Scope == "write")
}

// Manager makes, finds and ends sessions.
type Manager struct {
	Now    func() time.Time           // the clock
	Prefix func(*http.Request) string // the path that the site is mounted under, "" or "/toaster", for the cookie's Path

	cfg *config.Config
	db  *store.DB
}

// New reads the keys of cfg. An error is a fault that tells the administrator what to do.
func New(cfg *config.Config, db *store.DB) (*Manager, error) {
	return &Manager{Now: time.Now, Prefix: func(*http.Request) string { return cfg.Site.Prefix }, cfg: cfg, db: db}, nil
}

// Who tells who sent the request. A request with an Authorization header is judged by that alone: a wrong or
// expired Bearer token is Unauthorised, whatever its cookie says. Without one, a cookie that isn't good makes the
// request nobody's; that is no error.
func (m *Manager) Who(r *http.Request) (Identity, error) {
	return Identity{}, errors.New("not written yet")
}

// Begin logs p in: a new random id, always; the session that the request came with ends.
func (m *Manager) Begin(w http.ResponseWriter, r *http.Request, p *store.Person) error {
	return errors.New("not written yet")
}

// End logs out: the session is over on the server, and the browser is told to forget its cookie.
func (m *Manager) End(w http.ResponseWriter, r *http.Request) error {
	return errors.New("not written yet")
}
