package auth

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
)

func TestADatabaseAloneHasNoSecondFactor(t *testing.T) {
	s := newSite(t)
	secret, _ := withFactor(s)
	plain := bytes.Repeat([]byte{7}, secretLength)
	if bytes.Contains(s.user().TOTP, secret) {
		t.Error("the secret is stored as it is")
	}
	// As it was stored once: it works, and is sealed at its first use.
	must(t, s.db.Reseal(t.Context(), s.user().ID, s.user().TOTP, plain))
	must(t, s.CheckFactor(t.Context(), s.user(), s.code(plain), home))
	must(t, s.db.Close()) // what is left in the journal goes to the file
	for _, end := range []string{"", "-wal"} {
		file, err := os.ReadFile(s.cfg.Paths.Database + end)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for _, secret := range [][]byte{secret, plain} {
			if bytes.Contains(file, secret) {
				t.Errorf("the secret is in the file%s", end)
			}
		}
	}
}

func TestASealedSecretIsItsUsersAlone(t *testing.T) {
	s := newSite(t)
	withFactor(s)
	p := s.user()
	p.ID++
	if _, _, _, err := s.secret(p); apperr.KindOf(err) != apperr.Internal {
		t.Errorf("another person's: %v", err)
	}
	for i := range s.user().TOTP {
		p := s.user()
		p.TOTP[i] ^= 1
		if _, _, _, err := s.secret(p); apperr.KindOf(err) != apperr.Internal {
			t.Errorf("byte %d was changed: %v", i, err)
		}
	}
}

func TestSecondFactorsOutliveTheKeysThatTheyWereSealedWith(t *testing.T) {
	s := newSite(t)
	secret, codes := withFactor(s)
	stale := func(want Sealing) {
		t.Helper()
		if got, err := s.Sealing(t.Context()); err != nil || got != want {
			t.Errorf("%+v, %v, wanted %+v", got, err, want)
		}
	}
	stale(Sealing{})
	must(t, config.AddKeys(s.cfg.Paths.Keys, 2))
	stale(Sealing{Stale: 1})
	must(t, s.CheckFactor(t.Context(), s.user(), s.code(secret), home)) // seals it anew
	stale(Sealing{})

	must(t, config.AddKeys(s.cfg.Paths.Keys, 2))
	if n, err := s.SealFactors(t.Context()); err != nil || n.Stale != 1 || n.Lost != 0 {
		t.Errorf("%+v, %v", n, err)
	}
	must(t, config.DropKeys(s.cfg.Paths.Keys, 1))
	stale(Sealing{})
	must(t, s.CheckFactor(t.Context(), s.user(), codes[0], home))

	must(t, config.AddKeys(s.cfg.Paths.Keys, 1))
	stale(Sealing{Lost: 1})
	err := s.CheckFactor(t.Context(), s.user(), codes[1], home)
	if apperr.KindOf(err) != apperr.Internal || !strings.Contains(apperr.Of(err).Advice.String(), "administrator") {
		t.Errorf("keys that are lost: %v", err)
	}
	before := s.user().TOTP
	if n, err := s.SealFactors(t.Context()); err != nil || n.Lost != 1 || !slices.Equal(before, s.user().TOTP) {
		t.Errorf("what is lost doesn't stay as it is: %+v, %v", n, err)
	}
}

func TestWithoutSecondFactorsNoKeysAreNeeded(t *testing.T) {
	s := newSite(t)
	must(t, os.Remove(s.cfg.Paths.Keys))
	if n, err := s.SealFactors(t.Context()); err != nil || n != (Sealing{}) {
		t.Errorf("%+v, %v", n, err)
	}
}
