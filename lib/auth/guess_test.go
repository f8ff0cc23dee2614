package auth

import (
	"fmt"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
)

// stranger is an address of a network that nobody else in a test is near to.
func stranger(i int) string { return fmt.Sprintf("%d.%d.0.1", 1+i/200, i%200) }

// usedAt makes anna one who has logged in from an address before.
func (s *site) usedAt(address string) {
	s.t.Helper()
	must(s.t,
		s.db.AddSession(s.t.Context(), &store.Session{UserID: s.user().ID, CreatedAt: s.now, SeenAt: s.now,
			ExpiresAt: s.now, Address: address}, []byte(fmt.Sprintf("%-32s", address)), nil))
}

// with are the accounts for requests of a browser.
func (s *site) with(b store.Browser) *site {
	known, accounts := *s, *s.Accounts
	known.Accounts = accounts.From(b)
	return &known
}

// 60 networks of one provider's customer: each is counted for those that it is in.
func TestNetworksOfEverySizeAreSlowed(t *testing.T) {
	for _, c := range []struct {
		pattern string
		most    int // wrong passwords at once
	}{{"2001:db8:0:%x::1", 15}, {"2001:db8:0:a%02x::1", 10}, {"2001:db8:%x::1", 80}, {"198.51.100.%d", 20},
		{"198.51.%d.1", 80}} {
		s := newSite(t)
		passed := 0
		for i := range 100 {
			n := i
			if c.most == 15 {
				n *= 256 // a /56 each
			}
			if s.try(fmt.Sprintf("p%d@example.org", i), "guess", fmt.Sprintf(c.pattern, n)) == apperr.Unauthenticated {
				passed++
			}
		}
		if passed != c.most {
			t.Errorf("%s: %d wrong passwords were looked at, not %d", c.pattern, passed, c.most)
		}
		if k := s.try(anna, password, "203.0.113.1"); k != apperr.None {
			t.Errorf("%s: somebody elsewhere: %q", c.pattern, k)
		}
	}
}

func TestAnAttackSlowsStrangers(t *testing.T) {
	s := newSite(t)
	s.usedAt(home)
	for i := range 30 {
		s.try(anna, "guess", stranger(i))
	}
	if k := s.try(anna, "mistyped", stranger(40)); k != apperr.Unauthenticated {
		t.Errorf("the owner from somewhere new mistypes: %q", k)
	}
	if k := s.try(anna, password, stranger(40)); k != apperr.RateLimited {
		t.Errorf("and tries again at once: %q", k)
	}
	for range 5 {
		if k := s.try(anna, "mistyped", home); k != apperr.Unauthenticated {
			t.Errorf("the owner at home mistypes: %q", k)
		}
	}
	s.now = s.now.Add(10 * time.Second)
	if k := s.try(anna, password, home); k != apperr.None {
		t.Errorf("the owner at home: %q", k)
	}
	if k := s.try(anna, password, stranger(41)); k != apperr.None {
		t.Errorf("the owner from somewhere new: %q", k)
	}
}

// NIST SP 800-63B, 5.2.2: at most 100 in a row, however slowly and from wherever; but no stranger keeps the owner
// out.
func TestWrongPasswordsInARowEnd(t *testing.T) {
	s := newSite(t)
	s.usedAt(home)
	browser := s.with(store.Browser{UserID: s.user().ID, ID: "hers"})
	looked := map[string]int{}
	slowly := func(who string, try func(i int) apperr.Kind) {
		for i := range 150 {
			s.now = s.now.Add(20 * time.Minute)
			browser.now = s.now
			if try(i) == apperr.Unauthenticated {
				looked[who]++
			}
		}
	}
	for _, email := range []string{anna, "nobody@example.org"} { // nothing tells which of the two has an account
		slowly(email, func(i int) apperr.Kind { return s.try(email, "guess", stranger(i)) })
		_, err := s.LogIn(t.Context(), email, password, stranger(999))
		if f := apperr.Of(err); f.Kind != apperr.PermissionDenied || looked[email] != 60 {
			t.Errorf("%s: after %d: %v", email, looked[email], err)
		}
	}
	if k := browser.try(anna, password, stranger(5)); k != apperr.None {
		t.Errorf("the owner's browser, far away: %q", k)
	}
	if k := s.try(anna, password, stranger(6)); k != apperr.None {
		t.Errorf("after the owner has logged in: %q", k)
	}
	looked = map[string]int{}
	slowly("strangers", func(i int) apperr.Kind { return s.try(anna, "guess", stranger(i)) })
	slowly("home", func(int) apperr.Kind { return s.try(anna, "guess", home) })
	slowly("browser", func(i int) apperr.Kind { return browser.try(anna, "guess", stranger(i)) })
	if looked["strangers"] != 60 || looked["home"] != 20 || looked["browser"] != 20 {
		t.Errorf("%v in a row", looked)
	}
	if k := browser.try(anna, password, home); k != apperr.PermissionDenied {
		t.Errorf("whoever has the owner's browser and sits at home goes on: %q", k)
	}
	must(t, s.SetPassword(t.Context(), anna, "a new and very long phrase", entry))
	if k := s.try(anna, "a new and very long phrase", stranger(7)); k != apperr.None {
		t.Errorf("after a new password: %q", k)
	}
}

func TestWrongCodesInARowEnd(t *testing.T) {
	s := newSite(t)
	secret, codes := withFactor(s)
	browser := s.with(store.Browser{UserID: s.user().ID, ID: "hers", Factor: true})
	half := s.with(store.Browser{UserID: s.user().ID, ID: "of one who knows the password"})
	try := func(s *site, code, address string) apperr.Kind {
		return apperr.KindOf(s.CheckFactor(t.Context(), s.user(), code, address))
	}
	looked := 0
	for i := range 300 {
		s.now = s.now.Add(20 * time.Minute)
		if s := []*site{s, half}[i%2]; try(s, "0000000", stranger(i)) == apperr.Unauthenticated {
			looked++
		}
	}
	if looked != 60 {
		t.Errorf("%d wrong codes were looked at", looked)
	}
	if k := try(s, s.code(secret), stranger(1)); k != apperr.PermissionDenied {
		t.Errorf("the right code, from a stranger: %q", k)
	}
	if k := try(s, codes[0], stranger(1)); k != apperr.None {
		t.Errorf("the owner with a recovery code: %q", k)
	}
	for i := range 60 {
		s.now = s.now.Add(20 * time.Minute)
		try(s, "0000000", stranger(i))
	}
	if k := try(browser, s.code(secret), stranger(1)); k != apperr.None {
		t.Errorf("the owner with a browser that is known: %q", k)
	}
}

func TestWhoSitsAtABrowserThatWasLeftAloneGuessesNoPassword(t *testing.T) {
	s := newSite(t)
	looked := 0
	for range 150 {
		s.now = s.now.Add(20 * time.Minute)
		if err := s.Confirm(t.Context(), s.user(), "guess"); apperr.KindOf(err) == apperr.InvalidArgument {
			looked++
		}
	}
	if err := s.Confirm(t.Context(), s.user(), password); apperr.KindOf(err) != apperr.PermissionDenied || looked != 60 {
		t.Error(looked, err)
	}
	if k := s.try(anna, password, home); k != apperr.None {
		t.Errorf("the owner logs in: %q", k)
	}
	must(t, s.Confirm(t.Context(), s.user(), password))
}

// After a new password, or a log-out everywhere, a browser is a stranger's again.
func TestABrowserIsKnownUntilThereIsANewPassword(t *testing.T) {
	s := newSite(t)
	browser := s.with(store.Browser{UserID: s.user().ID, ID: "hers"})
	for i := range 60 {
		s.now = s.now.Add(20 * time.Minute)
		s.try(anna, "guess", stranger(i))
	}
	must(t, s.db.EndOtherSessions(t.Context(), s.user().ID, 0, s.now))
	if k := browser.try(anna, password, home); k != apperr.PermissionDenied {
		t.Errorf("%q", k)
	}
	if k := s.with(store.Browser{UserID: s.user().ID, ID: "hers", Epoch: s.user().Browsers}).try(anna, password,
		home); k != "" {
		t.Errorf("the one that it was done with: %q", k)
	}
}
