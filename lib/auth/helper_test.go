package auth

import (
	"path/filepath"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

// site has accounts, and a clock that only the test moves.
type site struct {
	*Accounts
	db  *store.DB
	t   *testing.T
	now time.Time
}

const (
	anna     = "anna@example.org"
	password = "correct horse battery staple"
	home     = "192.0.2.1"
)

// newSite makes a site with an account for anna.
func newSite(t *testing.T) *site {
	t.Helper()
	cheaply(t)
	cfg := config.Default()
	cfg.Paths.Database = filepath.Join(t.TempDir(), "toaster.db")
	cfg.Paths.Keys = filepath.Join(t.TempDir(), "keys")
	must(t, config.NewKeys(cfg.Paths.Keys))
	_, _, err := store.Migrate(t.Context(), cfg.Paths.Database)
	must(t, err)
	db, err := store.Open(t.Context(), cfg.Paths.Database)
	must(t, err)
	t.Cleanup(func() { db.Close() })
	s := &site{Accounts: New(cfg, db), db: db, t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	s.Now = func() time.Time { return s.now }
	_, err = s.Add(t.Context(), NewUser{Email: anna, Name: "Anna", Password: password})
	must(t, err)
	return s
}

// cheaply makes hashing quick for a test that is about something else.
func cheaply(t *testing.T) {
	costly, codes := current, codeCost
	current, codeCost = cost{memory: 64, time: 1, threads: 1}, cost{memory: 64, time: 1, threads: 1}
	t.Cleanup(func() { current, codeCost = costly, codes })
}

// try logs in and returns the error's kind; None when it went well.
func (s *site) try(email, password, address string) apperr.Kind {
	s.t.Helper()
	_, err := s.LogIn(s.t.Context(), email, password, address)
	return apperr.KindOf(err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
