package session

import (
	"strings"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
)

func (s *site) token(scope store.Scope, life time.Duration) string {
	s.t.Helper()
	t := &store.Token{UserID: s.anna.ID, Name: "test", Scope: scope, CreatedAt: s.now}
	if life > 0 {
		t.ExpiresAt = s.now.Add(life)
	}
	plain, err := s.db.AddToken(s.t.Context(), t, store.Mail{}, store.AuditEntry{})
	must(s.t, err)
	return plain
}

func TestATokenActsForItsUserWithinItsScope(t *testing.T) {
	s := newSite(t)
	for scope, may := range map[store.Scope]bool{store.ScopeRead: false, store.ScopeWrite: true} {
		for _, scheme := range []string{"Bearer ", "bearer ", "BEARER  "} {
			i, err := s.Identify(request(nil, "Authorization", scheme+s.token(scope, 0)))
			must(t, err)
			if i.User == nil || i.User.Email != anna || i.Token == nil || i.Session != 0 || i.MayWrite() != may {
				t.Errorf("%s%s: %+v", scheme, scope, i)
			}
		}
	}
	i, err := s.Identify(request(s.logIn(nil)))
	must(t, err)
	if !i.MayWrite() || (Identity{}).MayWrite() {
		t.Error("a session may write, nobody may not")
	}
}

func TestWithATokenTheCookieDoesNotCount(t *testing.T) {
	s := newSite(t)
	c := s.logIn(nil)
	i, err := s.Identify(request(c, "Authorization", "Bearer wrong"))
	if apperr.KindOf(err) != apperr.Unauthenticated || i.User != nil {
		t.Errorf("a wrong token beside a good cookie: %+v, %v", i, err)
	}
	i, err = s.Identify(request(c, "Authorization", "Bearer "+s.token(store.ScopeRead, 0)))
	if err != nil || i.Token == nil || i.Session != 0 || i.MayWrite() {
		t.Errorf("a read token beside a good cookie: %+v, %v", i, err)
	}
	i, err = s.Identify(request(c, "Authorization", "Basic YTpi"))
	if err != nil || i.User == nil || i.Token != nil {
		t.Errorf("a web server's own password beside a good cookie: %+v, %v", i, err)
	}
}

func TestTokensThatAreNotGoodAreUnauthorised(t *testing.T) {
	s := newSite(t)
	good, short := s.token(store.ScopeWrite, 0), s.token(store.ScopeWrite, time.Hour)
	s.now = s.now.Add(time.Hour)
	last := byte('A')
	if good[len(good)-1] == last {
		last = 'E'
	}
	for what, header := range map[string]string{
		"expired": "Bearer " + short, "nothing": "Bearer", "empty": "Bearer ",
		"no mark": "Bearer " + strings.TrimPrefix(good, "toaster_"),
		"longer":  "Bearer " + good + "A", "changed": "Bearer " + good[:len(good)-1] + string(last),
		"two": "Bearer " + good + " " + good,
	} {
		r := request(nil, "Authorization", header)
		r.RemoteAddr = what + ":1" // tries are counted by address
		if i, err := s.Identify(r); apperr.KindOf(err) != apperr.Unauthenticated || i.User != nil {
			t.Errorf("%s: %+v, %v", what, i, err)
		}
	}
	must(t, s.db.SetState(t.Context(), s.anna.ID, store.Suspended, s.now))
	if _, err := s.Identify(request(nil, "Authorization", "Bearer "+good)); apperr.KindOf(err) != apperr.Unauthenticated {
		t.Errorf("a suspended person's token: %v", err)
	}
}

func TestGuessingTokensIsSlowedButGoodOnesPass(t *testing.T) {
	s := newSite(t)
	good := s.token(store.ScopeRead, 0)
	wrong := func() apperr.Kind {
		_, err := s.Identify(request(nil, "Authorization", "Bearer wrong"))
		return apperr.KindOf(err)
	}
	for range 5 {
		if k := wrong(); k != apperr.Unauthenticated {
			t.Fatal(k)
		}
	}
	if k := wrong(); k != apperr.RateLimited {
		t.Errorf("the sixth: %s", k)
	}
	if i, err := s.Identify(request(nil, "Authorization", "Bearer "+good)); err != nil || i.User == nil {
		t.Errorf("a good token from the same address: %v", err)
	}
	s.now = s.now.Add(10 * time.Second)
	if k := wrong(); k != apperr.Unauthenticated {
		t.Errorf("ten seconds later: %s", k)
	}
}

func TestATokensLastUseIsWrittenOnceAMinute(t *testing.T) {
	s := newSite(t)
	plain, begin := s.token(store.ScopeRead, 0), s.now
	for _, step := range []struct{ at, used time.Duration }{{0, 0}, {59 * time.Second, 0}, {time.Minute, time.Minute}} {
		s.now = begin.Add(step.at)
		_, err := s.Identify(request(nil, "Authorization", "Bearer "+plain))
		must(t, err)
		tokens, err := s.db.Tokens(t.Context(), s.anna.ID)
		must(t, err)
		if got := tokens[0].UsedAt.Sub(begin); got != step.used {
			t.Errorf("after %v it was used after %v", step.at, got)
		}
	}
}

func FuzzBearer(f *testing.F) {
	f.Add("Bearer toaster_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("bearer\ttoaster_")
	f.Add("Basic YTpi")
	f.Fuzz(func(t *testing.T, header string) {
		plain, ok := bearer(request(nil, "Authorization", header))
		if ok && !strings.EqualFold(header[:min(6, len(header))], "bearer") {
			t.Errorf("%q was taken for a Bearer token", header)
		}
		digest, good := store.TokenDigest(plain)
		if good != (len(digest) == 32) || good && len(plain) != len("toaster_")+43 {
			t.Errorf("%q: %x %v", plain, digest, good)
		}
	})
}
