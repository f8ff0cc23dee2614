package auth

import (
	"fmt"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
)

func TestOnlyTheRightPasswordLogsIn(t *testing.T) {
	s := newSite(t)
	for _, email := range []string{anna, "ANNA@example.ORG", " " + anna + " "} {
		if p, err := s.LogIn(t.Context(), email, password, home); err != nil || p.Email != anna {
			t.Errorf("%q: %v", email, err)
		}
	}
	wrong := map[string]error{}
	for _, c := range [][2]string{{anna, "wrong"}, {anna, ""}, {anna, password + " "}, {"nobody@example.org", password},
		{"", ""}} {
		_, wrong[c[0]+c[1]] = s.LogIn(t.Context(), c[0], c[1], fmt.Sprint(len(wrong)))
	}
	for c, err := range wrong {
		// Nothing tells an unknown address from a wrong password.
		if f := apperr.Of(err); f.Kind != apperr.Unauthenticated || err.Error() != wrong[anna].Error() || f.Field != "" ||
			f.Advice != apperr.Of(wrong[anna]).Advice {
			t.Errorf("%q: %v", c, err)
		}
	}
}

func TestAnUnknownAddressCostsAsMuchAsAWrongPassword(t *testing.T) {
	// Time itself is no good witness; the work is: both hash once, with the same cost.
	c, salt, hash, err := decode(nobody())
	made, salt2, hash2, err2 := decode(HashPassword(password))
	if err != nil || err2 != nil || c != made || len(salt) != len(salt2) || len(hash) != len(hash2) {
		t.Errorf("%+v and %+v, %v, %v", c, made, err, err2)
	}
}

func TestWhoIsSuspendedLearnsItWithTheRightPasswordOnly(t *testing.T) {
	s := newSite(t)
	p, err := s.find(t.Context(), anna)
	must(t, err)
	for _, state := range []store.UserState{store.Suspended, store.Pending} {
		must(t, s.db.SetState(t.Context(), p.ID, state, s.now))
		if k := s.try(anna, password, home); k != apperr.PermissionDenied {
			t.Errorf("%s: %q", state, k)
		}
		if k := s.try(anna, "wrong", home); k != apperr.Unauthenticated {
			t.Errorf("%s, with a wrong password: %q", state, k)
		}
	}
}

func TestOneNetworkIsSlowed(t *testing.T) {
	s := newSite(t)
	for i := range 5 {
		if k := s.try(fmt.Sprintf("p%d@example.org", i), "guess",
			fmt.Sprintf("2001:db8::%d", i)); k != apperr.Unauthenticated {
			t.Fatal(k)
		}
	}
	if k := s.try(anna, password, "2001:db8::99"); k != apperr.RateLimited {
		t.Errorf("the sixth try from a network: %q", k)
	}
	if k := s.try(anna, password, "2001:db8:0:1::99"); k != apperr.None {
		t.Errorf("from the neighbour's network: %q", k)
	}
	s.now = s.now.Add(10 * time.Second)
	if k := s.try(anna, password, "2001:db8::99"); k != apperr.None {
		t.Errorf("ten seconds later: %q", k)
	}
}

func TestRightPasswordsAreNotCounted(t *testing.T) {
	s := newSite(t)
	for i := range 30 {
		if k := s.try(anna, password, home); k != apperr.None {
			t.Fatalf("log-in %d: %q", i+1, k)
		}
	}
}

func TestWhatIsTypedAsAnAddressIsNotStored(t *testing.T) {
	if k := accountKey("My Secret"); k != accountKey("my secret") || len(k) != 32 {
		t.Error(k)
	}
}

func TestAPasswordIsHashedAnewWhenTheCostHasRisen(t *testing.T) {
	s := newSite(t)
	current.time = 2
	old, err := s.find(t.Context(), anna)
	must(t, err)
	if k := s.try(anna, "wrong", home); k != apperr.Unauthenticated {
		t.Fatal(k)
	}
	if p, _ := s.find(t.Context(), anna); p.Password != old.Password {
		t.Error("a wrong password changed what is stored")
	}
	if k := s.try(anna, password, home); k != apperr.None {
		t.Fatal(k)
	}
	p, err := s.find(t.Context(), anna)
	must(t, err)
	if ok, stale, err := CheckPassword(p.Password, password); !ok || stale || err != nil || p.Password == old.Password {
		t.Errorf("%v %v %v", ok, stale, err)
	}
}

func TestAGuesserMakesNobodyWaitWhoseBrowserIsKnown(t *testing.T) {
	s := newSite(t)
	p, err := s.db.UserByEmail(t.Context(), anna)
	must(t, err)
	for range 100 {
		s.try(anna, "wrong wrong", home) // a stranger behind the same router
		s.now = s.now.Add(10 * time.Second)
	}
	if kind := s.try(anna, password, home); kind != apperr.RateLimited {
		t.Fatal("the network is not limited: ", kind)
	}
	known := *s
	accounts := *s.Accounts
	known.Accounts = accounts.From(store.Browser{UserID: p.ID, ID: "her browser"})
	if kind := known.try(anna, password, home); kind != apperr.None {
		t.Error("she has to wait: ", kind)
	}
	for range 5 {
		known.try(anna, "wrong wrong", home)
	}
	if kind := known.try(anna, password, home); kind != apperr.RateLimited {
		t.Error("a known browser may guess as often as it likes: ", kind)
	}
	s.now = s.now.Add(time.Hour)
	for range 5 {
		s.try("ben@example.org", "wrong wrong", home)
	}
	if kind := known.try("ben@example.org", "wrong wrong", home); kind != apperr.RateLimited {
		t.Error("it is known for another account, too: ", kind)
	}
}
