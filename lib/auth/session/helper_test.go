package session

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

// site is a site with one user, and a clock that only the test moves.
type site struct {
	*Manager
	db   *store.DB
	t    *testing.T
	cfg  *config.Config
	now  time.Time
	anna *store.User
}

func newSite(t *testing.T) *site {
	t.Helper()
	cfg := config.Default()
	cfg.Paths.Database, cfg.Paths.Keys = filepath.Join(t.TempDir(), "toaster.db"), filepath.Join(t.TempDir(), "keys")
	must(t, config.NewKeys(cfg.Paths.Keys))
	_, _, err := store.Migrate(t.Context(), cfg.Paths.Database)
	must(t, err)
	db, err := store.Open(t.Context(), cfg.Paths.Database)
	must(t, err)
	t.Cleanup(func() { db.Close() })
	s := &site{db: db, t: t, cfg: cfg, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	s.open(db)
	s.anna = s.user("anna@example.org")
	return s
}

// open reads the keys, as every request does.
func (s *site) open(db *store.DB) {
	s.t.Helper()
	m, err := New(s.cfg, db)
	must(s.t, err)
	m.Now = func() time.Time { return s.now }
	s.Manager = m
}

func (s *site) user(email string) *store.User {
	s.t.Helper()
	p := &store.User{Email: email, Role: store.RoleUser, State: store.Active, MaxJobs: -1, CreatedAt: s.now}
	must(s.t, s.db.AddUser(s.t.Context(), p))
	return p
}

// request is a GET by HTTPS with a cookie and more headers: name, value, name, value …
func request(c *http.Cookie, headers ...string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr, r.TLS = "192.0.2.1:5000", &tls.ConnectionState{}
	if c != nil {
		r.AddCookie(c)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// logIn logs anna in from a browser that has the cookie before, and returns the cookie that it gets.
func (s *site) logIn(before *http.Cookie) *http.Cookie {
	s.t.Helper()
	w := httptest.NewRecorder()
	must(s.t, s.Begin(w, request(before), s.anna))
	cookies := w.Result().Cookies()
	if len(cookies) != 1 {
		s.t.Fatalf("%d cookies", len(cookies))
	}
	return cookies[0]
}

// who tells whose a request with this cookie is, and whose it was: addresses, or "".
func (s *site) who(c *http.Cookie) (is, was string) {
	s.t.Helper()
	i, err := s.Identify(request(c))
	must(s.t, err)
	if i.User != nil {
		is = i.User.Email
	}
	if i.Expired != nil {
		was = i.Expired.Email
	}
	return is, was
}

func (s *site) expect(what string, c *http.Cookie, is, was string) {
	s.t.Helper()
	if gotIs, gotWas := s.who(c); gotIs != is || gotWas != was {
		s.t.Errorf("%s: it is %q and was %q, wanted %q and %q", what, gotIs, gotWas, is, was)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
