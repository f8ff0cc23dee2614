package session

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestABrowserIsKnown(t *testing.T) {
	s := newSite(t)
	w := httptest.NewRecorder()
	must(t, s.Remember(w, request(nil), s.anna, false))
	c := w.Result().Cookies()[0]
	if c.Name != "__Host-toaster-known" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode ||
		c.Path != "/" {
		t.Errorf("%+v", c)
	}
	known := s.Known(request(c))
	if known.UserID != s.anna.ID || known.ID == "" || known.Factor {
		t.Error(known)
	}
	if who, err := s.Identify(request(c)); err != nil || who.User != nil {
		t.Error("being known opens something: ", who, err)
	}
	again := httptest.NewRecorder()
	must(t, s.Remember(again, request(c), s.anna, false))
	if same := s.Known(request(again.Result().Cookies()[0])); same != known {
		t.Error("every log-in makes a new browser of it")
	}
	s.now = s.now.Add(remembering - time.Minute)
	if s.Known(request(c)).UserID == 0 {
		t.Error("forgotten too early")
	}
	s.now = s.now.Add(2 * time.Minute)
	if s.Known(request(c)).UserID != 0 {
		t.Error("known for ever")
	}
}

func TestNobodyMakesThemselvesKnown(t *testing.T) {
	s := newSite(t)
	session := httptest.NewRecorder()
	must(t, s.Begin(session, request(nil), s.anna))
	for _, value := range []string{"", "x", session.Result().Cookies()[0].Value} {
		if s.Known(request(&http.Cookie{Name: "__Host-toaster-known", Value: value})).UserID != 0 {
			t.Errorf("%q is known", value)
		}
	}
}
