package auth

import (
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/store"
)

// FuzzCode: of all that can be typed as a code only those of now are taken, however they are spaced.
func FuzzCode(f *testing.F) {
	secret, now := []byte("12345678901234567890"), time.Unix(1111111109, 0)
	var good []string
	for _, off := range []time.Duration{-period * time.Second, 0, period * time.Second} {
		code, err := totp.GenerateCode(plain32.EncodeToString(secret), now.Add(off))
		if err != nil {
			f.Fatal(err)
		}
		good = append(good, code)
		f.Add(code[:3] + " " + code[3:])
	}
	f.Add("ABCDE-FGHIJ")
	f.Add("0\f-")
	f.Fuzz(func(t *testing.T, typed string) {
		code := tidy(typed)
		if tidy(code) != code || strings.ContainsAny(code, " -") {
			t.Errorf("%q becomes %q, then %q", typed, code, tidy(code))
		}
		if at := step(secret, code, now); at != 0 != slices.Contains(good, code) || at != 0 &&
			(at < now.Unix()/period-1 || at > now.Unix()/period+1) {
			t.Errorf("%q: step %d", code, at)
		}
		if read := lookalike.Replace(code); len(read) != len(code) || strings.ContainsAny(read, "018") {
			t.Errorf("%q is read as %q", code, read)
		}
	})
}

// FuzzStoredFactor: nothing in the database is a second factor but a plain secret, as it was stored once, and what the
// site's keys have sealed.
func FuzzStoredFactor(f *testing.F) {
	cfg := config.Default()
	cfg.Paths.Keys = f.TempDir() + "/keys"
	if err := config.NewKeys(cfg.Paths.Keys); err != nil {
		f.Fatal(err)
	}
	s, err := New(cfg, nil).seals()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("12345678901234567890"), int64(7))
	f.Add(s.seal(7, make([]byte, secretLength)), int64(8))
	f.Fuzz(func(t *testing.T, stored []byte, user int64) {
		secret, newest, err := s.open(&store.User{ID: user, TOTP: stored})
		if plain := len(stored) == secretLength; (err == nil) != plain || newest || err != nil &&
			apperr.KindOf(err) != apperr.Internal {
			t.Errorf("%x is %x, %v", stored, secret, err)
		}
		if len(stored) == secretLength {
			secret, newest, err := s.open(&store.User{ID: user, TOTP: s.seal(user, stored)})
			if err != nil || !newest || !slices.Equal(secret, stored) {
				t.Errorf("%x is %x, %v", stored, secret, err)
			}
		}
	})
}

// FuzzAddress: an address that is taken is one to a mail program as well, and can't end its line.
func FuzzAddress(f *testing.F) {
	for _, address := range []string{"anna@example.org", "a+b@x", "a@b\r\nBcc: c@d", "\"a b\"@c", "a@b,c@d", "ä@b"} {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		if checkEmail(address) != nil {
			return
		}
		if strings.ContainsAny(address, "\r\n\t <>,;:\"()[]\\") || strings.Count(address, "@") != 1 || len(address) > 254 {
			t.Errorf("%q is taken", address)
		}
		// RFC 5322 forbids dots at the ends and side by side, which browsers take.
		local, _, _ := strings.Cut(address, "@")
		if parsed, err := mail.ParseAddress(address); err != nil && !strings.Contains("."+local+".", "..") || err == nil &&
			parsed.Address != address {
			t.Errorf("%q: %v, %v", address, parsed, err)
		}
	})
}

// FuzzLimits: limits that are taken are shown as they were understood.
func FuzzLimits(f *testing.F) {
	f.Add("3", "20 GiB", "30")
	f.Add("-1", "1e9", "0")
	f.Fuzz(func(t *testing.T, jobs, artifacts, days string) {
		own, err := ParseLimits(func(name string) string {
			return map[string]string{"jobs": jobs, "artifact_bytes": artifacts, "keep_days": days}[name]
		})
		if err != nil {
			if apperr.Of(err).Field == "" {
				t.Error(err)
			}
			return
		}
		p := &store.User{MaxJobs: -1, MaxRunning: -1, MaxDaily: -1, MaxMinutes: -1, MaxBytes: -1, KeepDays: -1}
		for to, n := range map[*int]*int{&p.MaxJobs: own.Jobs, &p.KeepDays: own.KeepDays} {
			if n != nil {
				*to = *n
			}
		}
		if own.Bytes != nil {
			p.MaxBytes = *own.Bytes
		}
		shown := LimitsOf(p)
		again, err := ParseLimits(func(name string) string { return shown[name] })
		if err != nil || again.String() != own.String() {
			t.Errorf("%s is shown as %v, which is %s, %v", own, shown, again, err)
		}
	})
}
