package web

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/auth/session"
	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

// failingStore fails in what has an error.
type failingStore struct {
	requestStore
	try, claim, answered, unclaim error
	unclaimed                     int
}

func (f *failingStore) Try(context.Context, time.Time, ...store.Limit) (t store.Tried, err error) {
	return t, f.try
}

func (f *failingStore) Claim(context.Context, store.Once, time.Time, time.Time) (*store.Done, error) {
	return nil, f.claim
}

func (f *failingStore) Answered(context.Context, store.Once, []byte) error { return f.answered }

func (f *failingStore) Unclaim(context.Context, store.Once) error {
	f.unclaimed++
	return f.unclaim
}

var (
	errLocked = apperr.New(apperr.Unavailable, "The site is busy.", "Try again in a minute.")
	errDisk   = errors.New("disk I/O error in /var/lib/toaster.db")
)

// ask sends a form to a page that does what it is asked for, or fails with wrong, on a site with such a store.
func ask(t *testing.T, f *failingStore, method string, wrong error) (w *httptest.ResponseRecorder, done int,
	log string) {
	t.Helper()
	t.Setenv("SCRIPT_NAME", "/things")
	t.Setenv("PATH_INFO", "")
	cfg := config.Default()
	cfg.Site.URL = "http://toaster.example.org"
	cfg.Paths.Keys = filepath.Join(t.TempDir(), "keys")
	if err := config.NewKeys(cfg.Paths.Keys); err != nil {
		t.Fatal(err)
	}
	sessions, err := session.New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	sessions.Prefix = prefixOf
	do := func(w http.ResponseWriter, r *Request) error {
		if method == http.MethodPost {
			if _, err := r.Input(); err != nil {
				return err
			}
		}
		if err := r.Allow("thing", ""); err != nil {
			return err
		}
		done++
		if wrong != nil {
			return wrong
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	fields := func(*config.Config) Fields { return Fields{"name": {Most: 100}} }
	var out bytes.Buffer
	app := &App{Program: "things", cfg: cfg, Log: slog.New(slog.NewTextHandler(&out, nil)), Routes: []Route{
		{Method: http.MethodGet, Path: "", Access: Anyone, Do: do},
		{Method: http.MethodPost, Path: "", Access: Anyone, Do: do, Fields: fields},
	}, site: &Site{Config: cfg, Sessions: sessions, store: f}}
	r := httptest.NewRequest(method, "http://toaster.example.org/things", strings.NewReader("name=a&once=abcdefgh"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w = httptest.NewRecorder()
	app.ServeHTTP(w, r)
	return w, done, out.String()
}

func TestWhatAPageSaysOfADatabaseThatFails(t *testing.T) {
	for _, c := range []struct {
		what          string
		store         failingStore
		method        string
		wrong         error
		status, done  int
		says, logs    string
		mustNotReveal string
	}{
		{"nothing fails", failingStore{}, "POST", nil, 204, 1, "", "", ""},
		{"it is busy", failingStore{claim: errLocked}, "POST", nil, 503, 0, "The site is busy.", "", ""},
		{"it is broken", failingStore{claim: errDisk}, "POST", nil, 500, 0, "", "disk I/O error", "disk I/O"},
		{"tries can't be counted", failingStore{try: errLocked}, "POST", nil, 503, 0, "The site is busy.", "", ""},
		{"tries can't be counted of who only looks", failingStore{try: errLocked}, "GET", nil, 204, 1, "", "", ""},
		{"the answer can't be kept", failingStore{answered: errDisk}, "POST", nil, 204, 1, "",
			"an answer is not kept", ""},
		{"what failed can't be sent again", failingStore{unclaim: errDisk}, "POST", errLocked, 503, 1, "The site is busy.",
			"can't be sent again", ""},
	} {
		w, done, log := ask(t, &c.store, c.method, c.wrong)
		body := w.Body.String()
		if w.Code != c.status || done != c.done || !strings.Contains(body, c.says) || !strings.Contains(log, c.logs) ||
			c.mustNotReveal != "" && strings.Contains(body, c.mustNotReveal) {
			t.Errorf("%s: %d, done %d times\n%s\n%s", c.what, w.Code, done, body, log)
		}
		if c.wrong != nil && c.store.unclaimed != 1 {
			t.Errorf("%s: given up %d times", c.what, c.store.unclaimed)
		}
	}
}
