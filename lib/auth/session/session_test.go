package session

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gorilla/securecookie"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

const anna = "anna@example.org"

func TestALogInHoldsUntilTheLogOut(t *testing.T) {
	s := newSite(t)
	s.expect("no cookie", nil, "", "")
	c := s.logIn(nil)
	s.expect("logged in", c, anna, "")

	w := httptest.NewRecorder()
	must(t, s.End(w, request(c)))
	if gone := w.Result().Cookies(); len(gone) != 1 || gone[0].MaxAge >= 0 || gone[0].Name != c.Name ||
		gone[0].Path != c.Path {
		t.Errorf("the browser keeps its cookie: %v", gone)
	}
	s.expect("a copy of the cookie after the log-out", c, "", anna)
	must(t, s.End(httptest.NewRecorder(), request(c)))
	must(t, s.End(httptest.NewRecorder(), request(nil)))
}

func TestEachLogInHasANewIdAndEndsTheOldSession(t *testing.T) {
	s := newSite(t)
	first := s.logIn(nil)
	second := s.logIn(first)
	s.expect("the old cookie", first, "", anna)
	s.expect("the new cookie", second, anna, "")
	other := s.logIn(nil)
	s.expect("a second browser", other, anna, "")
	s.expect("the first browser", second, anna, "")
}

func TestACookieSetBeforehandIsWorthNothing(t *testing.T) {
	s := newSite(t)
	eve := s.user("eve@example.org")
	w := httptest.NewRecorder()
	must(t, s.Begin(w, request(nil), eve))
	planted := w.Result().Cookies()[0]
	c := s.logIn(planted)
	if c.Value == planted.Value {
		t.Error("the planted cookie was kept")
	}
	s.expect("the planted cookie, which eve knows", planted, "", "eve@example.org")
	s.expect("what anna got", c, anna, "")
}

func TestWithoutRequestsASessionEnds(t *testing.T) {
	s := newSite(t)
	c := s.logIn(nil)
	for range 3 {
		s.now = s.now.Add(s.cfg.Session.Idle - time.Minute)
		s.expect("used in time", c, anna, "")
	}
	s.now = s.now.Add(s.cfg.Session.Idle)
	s.expect("idle for too long", c, "", anna)
	s.expect("and it stays over", c, "", anna)
}

func TestASessionEndsHoweverMuchItIsUsed(t *testing.T) {
	s := newSite(t)
	c := s.logIn(nil)
	end := s.now.Add(s.cfg.Session.MaxAge)
	for s.now.Add(time.Hour).Before(end) {
		s.now = s.now.Add(time.Hour)
		s.expect("used every hour", c, anna, "")
	}
	s.now = end
	s.expect("at the absolute limit", c, "", anna)
}

func TestTheLastUseIsWrittenOnceAMinute(t *testing.T) {
	s := newSite(t)
	c := s.logIn(nil)
	begin := s.now
	for _, step := range []struct{ at, seen time.Duration }{
		{59 * time.Second, 0}, {60 * time.Second, 60 * time.Second}, {119 * time.Second, 60 * time.Second},
		{130 * time.Second, 130 * time.Second},
	} {
		s.now = begin.Add(step.at)
		s.expect("in use", c, anna, "")
		row, _, err := s.db.SessionByDigest(t.Context(), s.digest(request(c)))
		must(t, err)
		if row.SeenAt.Sub(begin) != step.seen {
			t.Errorf("after %v the session was seen after %v, wanted %v", step.at, row.SeenAt.Sub(begin), step.seen)
		}
	}
}

func TestPagesCanBeReadWhileTheDiskIsFull(t *testing.T) {
	for kind, tolerated := range map[apperr.Kind]bool{apperr.StorageFull: true, apperr.Unavailable: true,
		apperr.Internal: false} {
		if err := tolerable(apperr.New(kind, "", "")); (err == nil) != tolerated {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestSuspensionAndANewPasswordEndSessions(t *testing.T) {
	s := newSite(t)
	c := s.logIn(nil)
	must(t, s.db.SetState(t.Context(), s.anna.ID, store.Suspended, s.now))
	s.expect("suspended", c, "", "")
	must(t, s.db.SetState(t.Context(), s.anna.ID, store.Active, s.now))
	s.expect("active again, with the cookie from before", c, "", anna)
	must(t, s.db.SetState(t.Context(), s.anna.ID, store.Suspended, s.now))
	s.expect("logged in while suspended", s.logIn(nil), "", "")
	must(t, s.db.SetState(t.Context(), s.anna.ID, store.Active, s.now))
	c = s.logIn(nil)
	s.expect("logged in again", c, anna, "")
	must(t, s.db.SetPassword(t.Context(), s.anna.ID, "x", store.AuditEntry{At: s.now}))
	s.expect("with a new password", c, "", anna)
}

func TestTheDatabaseDoesNotKnowTheId(t *testing.T) {
	s := newSite(t)
	c := s.logIn(nil)
	var id []byte
	must(t, securecookie.DecodeMulti(c.Name, c.Value, &id, s.codecs...))
	must(t, s.db.Close()) // so that all is in one file
	file, err := os.ReadFile(s.cfg.Paths.Database)
	must(t, err)
	if bytes.Contains(file, id) || !bytes.Contains(file, digestOf(id)) {
		t.Error("the database has the id itself, or lacks its digest")
	}
	if strings.Contains(c.Value, anna) || len(id) != 32 {
		t.Errorf("the cookie carries more than an id: %q", id)
	}
}

func TestCookiesThatWereChangedAreNobodys(t *testing.T) {
	s := newSite(t)
	c := s.logIn(nil)
	for i := range len(c.Value) {
		forged := *c
		b := []byte(c.Value)
		b[i] ^= 1
		forged.Value = string(b)
		// A change in the last character may touch only bits that base64 drops: then it's the same cookie.
		if is, was := s.who(&forged); (is != "" || was != "") && i < len(b)-4 {
			t.Fatalf("changed at %d of %d: it is %q", i, len(b), is)
		}
	}
	for _, value := range []string{"", c.Value[:len(c.Value)/2], c.Value + c.Value, strings.Repeat("A", 5000)} {
		forged := *c
		forged.Value = value
		s.expect("cut, doubled or long", &forged, "", "")
	}
	other := *c
	other.Name = "toaster"
	s.expect("under another name", &other, "", "")
	r := request(&http.Cookie{Name: c.Name, Value: "junk"})
	r.AddCookie(c)
	if i, err := s.Identify(r); err != nil || i.User == nil {
		t.Error("a broken cookie of the same name hides the genuine one")
	}
}

func TestKeysRotate(t *testing.T) {
	s := newSite(t)
	old := s.logIn(nil)
	must(t, config.AddKeys(s.cfg.Paths.Keys, 2))
	s.open(s.db)
	s.expect("made with the keys from before", old, anna, "")
	young := s.logIn(nil)
	must(t, config.AddKeys(s.cfg.Paths.Keys, 2))
	s.open(s.db)
	s.expect("made with keys that are gone", old, "", "")
	s.expect("made with the second newest keys", young, anna, "")
	must(t, os.Remove(s.cfg.Paths.Keys))
	must(t, config.NewKeys(s.cfg.Paths.Keys))
	s.open(s.db)
	s.expect("made with another site's keys", young, "", "")
}

func TestTheCookieFitsWhereTheSiteIs(t *testing.T) {
	for _, c := range []struct {
		prefix, mode string
		https        bool
		name, path   string
		secure       bool
	}{
		{"", "auto", true, "__Host-toaster", "/", true},
		{"", "auto", false, "toaster", "/", false},
		{"/toaster", "auto", true, "__Secure-toaster", "/toaster", true},
		{"/toaster", "auto", false, "toaster", "/toaster", false},
		{"", "always", false, "__Host-toaster", "/", true},
		{"/a/b", "always", false, "__Secure-toaster", "/a/b", true},
		{"", "never", true, "toaster", "/", false},
	} {
		s := newSite(t)
		s.cfg.Session.Secure = c.mode
		s.Prefix = func(*http.Request) string { return c.prefix }
		r := request(nil)
		if !c.https {
			r.TLS = nil
		}
		w := httptest.NewRecorder()
		must(t, s.Begin(w, r, s.anna))
		got := w.Result().Cookies()[0]
		if got.Name != c.name || got.Path != c.path || got.Secure != c.secure || !got.HttpOnly ||
			got.SameSite != http.SameSiteLaxMode || got.Domain != "" {
			t.Errorf("%+v: %v", c, got)
		}
		if limit := int((s.cfg.Session.MaxAge + 7*24*time.Hour).Seconds()); got.MaxAge != limit {
			t.Errorf("it lives %d seconds, wanted %d", got.MaxAge, limit)
		}
	}
}

func TestAddressesComeFromTheWebServer(t *testing.T) {
	s := newSite(t)
	for remote, want := range map[string]string{"192.0.2.1:80": "192.0.2.1", "[2001:db8::1]:80": "2001:db8::1",
		"192.0.2.1": "192.0.2.1", "": ""} {
		r := request(nil, "X-Forwarded-For", "198.51.100.1")
		r.RemoteAddr = remote
		if got := s.Address(r); got != want {
			t.Errorf("%q: %q", remote, got)
		}
	}
}

func TestStrangeBrowserNamesDoNoHarm(t *testing.T) {
	s := newSite(t)
	for _, name := range []string{"", "\xff\xfe", strings.Repeat("x", 199) + "ä", strings.Repeat("ä", 1000)} {
		w := httptest.NewRecorder()
		must(t, s.Begin(w, request(nil, "User-Agent", name), s.anna))
		row, _, err := s.db.SessionByDigest(t.Context(), s.digest(request(w.Result().Cookies()[0])))
		must(t, err)
		if !utf8.ValidString(row.Agent) || len(row.Agent) > 200 || row.Address != "192.0.2.1" {
			t.Errorf("%q is stored as %+v", name, row)
		}
	}
}

func TestACookieOutlivesItsSessionByAWeekOnly(t *testing.T) {
	s := newSite(t)
	for age, good := range map[time.Duration]bool{
		0: true, s.cfg.Session.MaxAge + 6*24*time.Hour: true, s.cfg.Session.MaxAge + 8*24*time.Hour: false, -time.Hour: true,
	} {
		if got := s.digest(request(s.aged(s.logIn(nil), age))); (got != nil) != good {
			t.Errorf("a cookie made %v ago is taken: %v", age, got != nil)
		}
	}
}

// aged is a cookie as it would be if it had been made some time ago: securecookie signs "date|value" with its name
// in front.
func (s *site) aged(c *http.Cookie, age time.Duration) *http.Cookie {
	s.t.Helper()
	keys, err := s.cfg.KeyPairs()
	must(s.t, err)
	text, err := base64.URLEncoding.DecodeString(c.Value)
	must(s.t, err)
	parts := bytes.SplitN(text, []byte("|"), 3)
	signed := fmt.Sprintf("%d|%s", time.Now().Add(-age).Unix(), parts[1])
	mac := hmac.New(sha256.New, keys[0])
	io.WriteString(mac, c.Name+"|"+signed)
	old := *c
	old.Value = base64.URLEncoding.EncodeToString(mac.Sum([]byte(signed + "|")))
	return &old
}

func FuzzCookie(f *testing.F) {
	cfg := config.Default()
	cfg.Paths.Keys = f.TempDir() + "/keys"
	if err := config.NewKeys(cfg.Paths.Keys); err != nil {
		f.Fatal(err)
	}
	m, err := New(cfg, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("")
	f.Add("MTcwMDAwMDAwMHxhYmN8ZGVm")
	f.Add(strings.Repeat("A", 400) + "; __Host-toaster=B")
	f.Fuzz(func(t *testing.T, value string) {
		if d := m.digest(request(nil, "Cookie", "__Host-toaster="+value)); d != nil {
			t.Errorf("%q was taken for genuine", value)
		}
	})
}
