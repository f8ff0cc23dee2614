package auth

import (
	"strings"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
)

func TestAnAccountIsMadeFromGoodValuesOnly(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct {
		user  NewUser
		field string
	}{
		{NewUser{Email: "", Password: password}, "email"},
		{NewUser{Email: "ben", Password: password}, "email"},
		{NewUser{Email: "ben@", Password: password}, "email"},
		{NewUser{Email: "@example.org", Password: password}, "email"},
		{NewUser{Email: "ben@-example.org", Password: password}, "email"},
		{NewUser{Email: "ben@example..org", Password: password}, "email"},
		{NewUser{Email: "ben ben@example.org", Password: password}, "email"},
		{NewUser{Email: "Ben <ben@example.org>", Password: password}, "email"},
		{NewUser{Email: "ben@example.org\nBcc: x@example.org", Password: password}, "email"},
		{NewUser{Email: strings.Repeat("b", 65) + "@example.org", Password: password}, "email"},
		{NewUser{Email: "b@" + strings.Repeat("b.", 126) + "org", Password: password}, "email"},
		{NewUser{Email: "ben@example.org", Name: strings.Repeat("n", 201), Password: password}, "name"},
		{NewUser{Email: "ben@example.org", Name: "a\x1b[31m", Password: password}, "name"},
		{NewUser{Email: "ben@example.org", Name: "\xff", Password: password}, "name"},
		{NewUser{Email: "ben@example.org", Password: ""}, "password"},
		{NewUser{Email: "ben@example.org", Password: "sevench"}, "password"},
		{NewUser{Email: "ben@example.org", Password: strings.Repeat("x", 257)}, "password"},
		{NewUser{Email: "ben@example.org", Password: "12345678\xff"}, "password"},
		{NewUser{Email: "ANNA@example.org", Password: password}, "email"},
	} {
		_, err := s.Add(t.Context(), c.user)
		want := apperr.InvalidArgument
		if strings.HasPrefix(c.user.Email, "ANNA") {
			want = apperr.AlreadyExists
		}
		if f := apperr.Of(err); err == nil || f.Kind != want || f.Field != c.field || f.Advice.IsZero() {
			t.Errorf("%+v: %v at %q, wanted %s at %q", c.user, err, f.Field, want, c.field)
		}
	}
	for _, n := range []NewUser{
		{Email: " ben@example.org ", Name: " Ben Ö. ", Password: "eightchr", Admin: true},
		{Email: "o'hara+x@sub.example.org", Password: strings.Repeat("ä", 256)},
		{Email: "root@localhost", Password: password},
	} {
		p, err := s.Add(t.Context(), n)
		if err != nil || p.Email != strings.TrimSpace(n.Email) || (p.Role == store.RoleAdmin) != n.Admin ||
			s.try(p.Email, n.Password, home) != apperr.None {
			t.Errorf("%+v: %+v, %v", n, p, err)
		}
	}
	all, err := s.List(t.Context())
	must(t, err)
	var emails []string
	for _, p := range all {
		emails = append(emails, p.Email)
	}
	if got := strings.Join(emails,
		" "); got != "anna@example.org ben@example.org o'hara+x@sub.example.org root@localhost" {
		t.Error(got)
	}
}

func TestANewPasswordReplacesTheOld(t *testing.T) {
	s := newSite(t)
	must(t, s.SetPassword(t.Context(), "Anna@Example.org", "another password", store.AuditEntry{}))
	if k := s.try(anna, password, home); k != apperr.Unauthenticated {
		t.Errorf("with the old one: %q", k)
	}
	if k := s.try(anna, "another password", home); k != apperr.None {
		t.Errorf("with the new one: %q", k)
	}
	if err := s.SetPassword(t.Context(), anna, "short", store.AuditEntry{}); apperr.Of(err).Field != "password" {
		t.Error(err)
	}
	if err := s.SetPassword(t.Context(), "nobody@example.org", password,
		store.AuditEntry{}); apperr.KindOf(err) != apperr.NotFound {
		t.Error(err)
	}
}

func TestTokensAreMadeListedAndRemoved(t *testing.T) {
	s := newSite(t)
	ben, err := s.Add(t.Context(), NewUser{Email: "ben@example.org", Password: password})
	must(t, err)
	first, err := s.AddToken(t.Context(), anna, "nightly", "write", 0, store.AuditEntry{})
	must(t, err)
	second, err := s.AddToken(t.Context(), anna, "watch", "read", time.Hour, store.AuditEntry{})
	must(t, err)
	if first == second || !strings.HasPrefix(first, "toaster_") || len(first) != len("toaster_")+43 {
		t.Errorf("%q %q", first, second)
	}
	tokens, err := s.Tokens(t.Context(), anna)
	must(t, err)
	if len(tokens) != 2 || tokens[0].Name != "nightly" || !tokens[0].ExpiresAt.IsZero() ||
		tokens[1].Scope != "read" || !tokens[1].ExpiresAt.Equal(s.now.Add(time.Hour)) || !tokens[1].UsedAt.IsZero() {
		t.Errorf("%+v", tokens)
	}
	if err := s.RemoveToken(t.Context(), ben.Email, tokens[0].ID,
		store.AuditEntry{}); apperr.KindOf(err) != apperr.NotFound {
		t.Errorf("ben removes anna's: %v", err)
	}
	must(t, s.RemoveToken(t.Context(), anna, tokens[0].ID, store.AuditEntry{}))
	if tokens, err = s.Tokens(t.Context(), anna); err != nil || len(tokens) != 1 {
		t.Errorf("%d tokens, %v", len(tokens), err)
	}
	for _, c := range []struct {
		name  string
		scope store.Scope
		ttl   time.Duration
		field string
	}{{"", "read", 0, "name"}, {"a\nb", "read", 0, "name"}, {strings.Repeat("n", 101), "read", 0, "name"},
		{"n", "all", 0, "scope"}, {"n", "read", -1, "ttl"}} {
		if _, err := s.AddToken(t.Context(), anna, c.name, c.scope, c.ttl,
			store.AuditEntry{}); apperr.Of(err).Field != c.field {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
