package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"toaster.do/lib/apperr"
)

var day = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func addUser(t *testing.T, db *DB, email string) *User {
	t.Helper()
	p := &User{Email: email, Name: "Somebody", Role: RoleUser, State: Active, Password: "phc", MaxJobs: -1, CreatedAt: day}
	if err := db.AddUser(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAUserComesBackAsStored(t *testing.T) {
	db := test(t)
	for _, p := range []*User{
		{Email: "anna@example.org", Name: "Anna", Role: RoleUser, State: Active, Password: "phc", MaxJobs: -1,
			CreatedAt: day},
		{Email: "ben@example.org", Role: RoleAdmin, State: Pending, Password: "phc", MaxJobs: 0, CreatedAt: day},
	} {
		if err := db.AddUser(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		byEmail, err := db.UserByEmail(t.Context(), p.Email)
		if err != nil || !reflect.DeepEqual(byEmail, p) {
			t.Errorf("%+v\ncame back as\n%+v, %v", p, byEmail, err)
		}
		byID, err := db.UserByID(t.Context(), p.ID)
		if err != nil || !reflect.DeepEqual(byID, p) {
			t.Errorf("by id: %+v, %v", byID, err)
		}
	}
	again := &User{Email: "ANNA@example.org", Role: RoleUser, State: Active, CreatedAt: day}
	if err := db.AddUser(t.Context(), again); apperr.KindOf(err) != apperr.AlreadyExists ||
		apperr.Of(err).Field != "email" {
		t.Errorf("the same address in capitals: %v", err)
	}
	for what, err := range map[string]error{
		"a new password": db.SetPassword(t.Context(), 99, "x", AuditEntry{At: day}),
		"suspension":     db.SetState(t.Context(), 99, Suspended, day),
	} {
		if apperr.KindOf(err) != apperr.NotFound {
			t.Errorf("%s for nobody: %v", what, err)
		}
	}
	if _, err := db.UserByID(t.Context(), 99); apperr.KindOf(err) != apperr.NotFound {
		t.Error(err)
	}
}

func TestAPasswordThatChangedMeanwhileIsNotHashedBack(t *testing.T) {
	db := test(t)
	p := addUser(t, db, "anna@example.org")
	if err := db.SetPassword(t.Context(), p.ID, "new", AuditEntry{At: day}); err != nil {
		t.Fatal(err)
	}
	if err := db.Rehash(t.Context(), p.ID, "phc", "old, rehashed"); err != nil {
		t.Fatal(err)
	}
	if p, err := db.UserByID(t.Context(), p.ID); err != nil || p.Password != "new" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestSessionsThatAreLongOverAreForgotten(t *testing.T) {
	db := test(t)
	p := addUser(t, db, "anna@example.org")
	digest := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 32) }
	for i, begin := range []time.Time{day, day.Add(time.Hour), day.Add(remembered + time.Hour)} {
		s := &Session{UserID: p.ID, CreatedAt: begin, SeenAt: begin, ExpiresAt: begin.Add(time.Minute),
			Address: fmt.Sprintf("2001:db8:0:%d::1", i)}
		if err := db.AddSession(t.Context(), s, digest(i), nil); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []apperr.Kind{apperr.NotFound, apperr.None, apperr.None} {
		if _, _, err := db.SessionByDigest(t.Context(), digest(i)); apperr.KindOf(err) != want {
			t.Errorf("session %d: %v", i, err)
		}
		if known, err := db.KnowsNetwork(t.Context(), p.ID, fmt.Sprintf("2001:db8:0:%d::99", i)); err != nil ||
			known != (want == apperr.None) {
			t.Errorf("network %d is known: %v, %v", i, known, err)
		}
	}
}

func TestATokenIsStoredAsItsDigest(t *testing.T) {
	db := test(t)
	p := addUser(t, db, "anna@example.org")
	want := &Token{UserID: p.ID, Name: "nightly", Scope: ScopeWrite, CreatedAt: day, ExpiresAt: day.Add(time.Hour)}
	plain, err := db.AddToken(t.Context(), want, Mail{}, AuditEntry{})
	if err != nil {
		t.Fatal(err)
	}
	digest, ok := TokenDigest(plain)
	if sum := sha256.Sum256([]byte(plain)); !ok || !bytes.Equal(digest, sum[:]) {
		t.Errorf("%x, %v", digest, ok)
	}
	got, owner, err := db.TokenByDigest(t.Context(), digest)
	if err != nil || *got != *want || owner.Email != p.Email {
		t.Errorf("%+v of %+v, %v", got, owner, err)
	}
}

func TestTriesThatNoLongerCountAreRemoved(t *testing.T) {
	db := test(t)
	now := day
	limits := []Limit{{Key: "a"}, {Key: "b"}, {Key: "c"}}
	for range 50 {
		if _, err := db.Try(t.Context(), now, limits...); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := db.Tries(t.Context(), now, "a", 20); n != 20 || err != nil {
		t.Errorf("up to 20 of 50: %d, %v", n, err)
	}
	now = now.Add(counted)
	if n, err := db.Tries(t.Context(), now, "a", 99); n != 0 || err != nil {
		t.Errorf("an hour later: %d, %v", n, err)
	}
	for range 10 {
		if _, err := db.Try(t.Context(), now, limits...); err != nil {
			t.Fatal(err)
		}
	}
	var rows int
	if err := db.r.QueryRow("SELECT count(*) FROM rate_limit_event").Scan(&rows); err != nil || rows != 30 {
		t.Errorf("%d rows are left, %v", rows, err)
	}
}

func TestATryIsAllowedByAllLimitsOrCountedByNone(t *testing.T) {
	db := test(t)
	open, shut := Limit{Key: "open", Rates: []Rate{{9, time.Minute}}},
		Limit{Key: "shut", Rates: []Rate{{1, time.Minute}}}
	tried, err := db.Try(t.Context(), day, open, shut)
	if err != nil || len(tried.ids) != 2 {
		t.Fatal(tried, err)
	}
	if _, err := db.Try(t.Context(), day, open, shut); apperr.KindOf(err) != apperr.RateLimited {
		t.Fatal(err)
	}
	if n, _ := db.Tries(t.Context(), day, "open", 99); n != 1 {
		t.Errorf("%d tries are counted", n)
	}
	if err := db.Forgive(t.Context(), tried); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Try(t.Context(), day, open, shut); err != nil {
		t.Errorf("after the first was forgiven: %v", err)
	}
}

func TestANetworkIsWhatOneSubscriberHas(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"fe80::1%eth0": "fe80::/64", "": "", "somewhere": "somewhere",
	} {
		if got := Network(address); got != want {
			t.Errorf("%q: %q, wanted %q", address, got, want)
		}
	}
}

func TestANumberIsNeverGivenAgain(t *testing.T) {
	db := test(t)
	first, last := addUser(t, db, "anna@example.org"), addUser(t, db, "ben@example.org")
	if err := db.RemoveUser(t.Context(), last.ID, day, Mail{},
		AuditEntry{At: day, Means: "web", Action: "account.remove"}); err != nil {
		t.Fatal(err)
	}
	if err := db.Purge(t.Context(), day.Add(time.Second), day.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if next := addUser(t, db, "ben@example.org"); next.ID != last.ID+1 || last.ID != first.ID+1 {
		t.Errorf("numbers %d, %d, and then %d", first.ID, last.ID, next.ID)
	}
}

func TestAnEmailTokenChangesNothingOfSomebodyWhoIsSuspended(t *testing.T) {
	db := test(t)
	for i, use := range []func(*User, *EmailToken) error{
		func(p *User, l *EmailToken) error {
			return db.SetAddress(t.Context(), l, day, Mail{}, AuditEntry{At: day})
		},
		func(p *User, l *EmailToken) error {
			return db.ResetPassword(t.Context(), l, "new", Active, false, day, Mail{}, nil, AuditEntry{At: day})
		},
		func(p *User, l *EmailToken) error {
			return db.Activate(t.Context(), l, Active, day, nil, AuditEntry{At: day})
		},
	} {
		p := addUser(t, db, fmt.Sprintf("person%d@example.org", i))
		l, secret := NewEmailToken([]EmailTokenKind{"address", "recover", "activate"}[i], fmt.Sprintf("new%d@example.org", i),
			day,
			time.Hour)
		if i > 0 {
			l.Email = p.Email
		}
		if err := errors.Join(db.SendEmailToken(t.Context(), p.ID, l),
			db.SetState(t.Context(), p.ID, Suspended, day)); err != nil {
			t.Fatal(err)
		}
		found, _, err := db.FindEmailToken(t.Context(), l.Kind, secret, day)
		if err != nil {
			t.Fatal(err)
		}
		if err := use(p, found); apperr.KindOf(err) != apperr.NotFound {
			t.Errorf("%s: %v", l.Kind, err)
		}
		if now, err := db.UserByID(t.Context(), p.ID); err != nil || now.Email != p.Email || now.State != Suspended ||
			now.Password != p.Password {
			t.Errorf("%s: %+v, %v", l.Kind, now, err)
		}
	}
}
