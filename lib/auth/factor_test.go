package auth

import (
	"encoding/base32"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
)

func TestCodesAreThoseOfTheRFC(t *testing.T) {
	secret := []byte("12345678901234567890")
	// RFC 6238, appendix B, cut to six digits.
	for at, code := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924",
		2000000000: "279037", 20000000000: "353130"} {
		for _, off := range []int64{-30, 0, 30} {
			if got := step(secret, code, time.Unix(at+off, 0)); got != at/30 {
				t.Errorf("%s at %d: step %d", code, at+off, got)
			}
		}
		for _, off := range []int64{-90, 90} {
			if got := step(secret, code, time.Unix(at+off, 0)); got != 0 {
				t.Errorf("%s at %d is taken", code, at+off)
			}
		}
	}
	for _, code := range []string{"", "0", "2870820", "28708２"} {
		if step(secret, code, time.Unix(59, 0)) != 0 {
			t.Errorf("%q is taken", code)
		}
	}
}

// withFactor gives anna a second factor and returns its secret and recovery codes.
func withFactor(s *site) (secret []byte, codes []string) {
	s.t.Helper()
	e, err := s.Enrol(s.user())
	must(s.t, err)
	codes, err = s.EnableFactor(s.t.Context(), s.user(), password, e.Secret, s.code(e.Secret), entry)
	must(s.t, err)
	s.now = s.now.Add(time.Minute)
	return e.Secret, codes
}

var entry = store.AuditEntry{At: time.Unix(1, 0), Means: "web", Action: "test"}

func (s *site) user() *store.User {
	s.t.Helper()
	p, err := s.db.UserByEmail(s.t.Context(), anna)
	must(s.t, err)
	return p
}

// code is what an app shows now.
func (s *site) code(secret []byte) string {
	s.t.Helper()
	code, err := totp.GenerateCode(plain32.EncodeToString(secret), s.now)
	must(s.t, err)
	return code
}

func TestWhoGuessesCodesIsSlowedAndTheOwnerIsNot(t *testing.T) {
	s := newSite(t)
	secret, codes := withFactor(s)
	must(t, s.db.AddSession(t.Context(), &store.Session{UserID: s.user().ID, CreatedAt: s.now, SeenAt: s.now,
		ExpiresAt: s.now.Add(time.Hour), Address: home}, make([]byte, 32), nil))
	try := func(code, address string) apperr.Kind {
		return apperr.KindOf(s.CheckFactor(t.Context(), s.user(), code, address))
	}
	wrong := 0
	for i := range 200 {
		if try("000000x", "198.51.100."+digits(i)) == apperr.Unauthenticated {
			wrong++
		}
		s.now = s.now.Add(time.Second)
	}
	if wrong < 20 {
		t.Error("strangers could try only", wrong)
	}
	try("000000x", "198.51.100.1")
	if k := try("000000x", "198.51.100.1"); k != apperr.RateLimited {
		t.Errorf("a stranger who comes again and again: %q", k)
	}
	if k := try(s.code(secret), home); k != apperr.None {
		t.Errorf("the owner, at home: %q", k)
	}
	if k := try(strings.NewReplacer("O", "0", "I", "1", "B", "8").Replace(codes[0]), home); k != apperr.None {
		t.Errorf("the owner with a recovery code: %q", k)
	}
}

func TestAnAdministratorKeepsTheFactorThatTheSiteAsksFor(t *testing.T) {
	s := newSite(t)
	withFactor(s)
	s.cfg.Admin.SecondFactor = true
	p := s.user()
	p.Role = "admin"
	if err := s.DisableFactor(t.Context(), p, password, entry); apperr.KindOf(err) != apperr.PermissionDenied {
		t.Error(err)
	}
	p.Role = "user"
	must(t, s.DisableFactor(t.Context(), p, password, entry))
	if s.user().HasFactor() {
		t.Error("it is still on")
	}
}

func TestRecoveryCodesAreHardToGuessAndStoredAsDigests(t *testing.T) {
	s := newSite(t)
	secret := []byte("12345678901234567890")
	codes, digests, err := s.newCodes(t.Context(), secret)
	must(t, err)
	seen := map[string]bool{}
	for i, c := range codes {
		bare := tidy(strings.ToLower(c))
		if _, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(bare); err != nil ||
			len(bare) != 15 || seen[bare] {
			t.Errorf("%q", c)
		}
		seen[bare] = true
		if string(codeDigest(bare, secret)) != string(digests[i]) ||
			string(codeDigest(bare, secret[1:])) == string(digests[i]) {
			t.Errorf("%q: the digest is not the person's own", c)
		}
	}
	if len(codes) != 10 {
		t.Error(codes)
	}
}
