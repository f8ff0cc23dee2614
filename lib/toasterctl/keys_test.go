package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/config"
	"toaster.do/lib/host"
	"toaster.do/lib/store"
)

// withFactor gives the site's person a second factor as it was stored before secrets were sealed, and returns how it is
// stored now.
func withFactor(t *testing.T, path string, plain []byte) (stored func() []byte) {
	t.Helper()
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), cfg.Paths.Database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	p, err := db.UserByEmail(t.Context(), email)
	if err == nil {
		err = db.SetFactor(t.Context(), p.ID, plain, 1, nil, time.Now(), store.Mail{}, auditEntry("test", "", ""))
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() []byte {
		t.Helper()
		p, err := db.UserByEmail(t.Context(), email)
		if err != nil {
			t.Fatal(err)
		}
		return p.TOTP
	}
}

func TestMigrateSealsSecondFactors(t *testing.T) {
	site, plain := newSite(t), []byte("12345678901234567890")
	stored := withFactor(t, site, plain)
	ctl(t, "", "migrate", "--check", "--config", site).exits(1).complains("1 two-factor secret", "toasterctl migrate")
	ctl(t, "", "doctor", "--quick", "--config", site).exits(1).says("problem keys", "toasterctl migrate")
	ctl(t, "", "migrate", "--config", site).exits(0).says("1 two-factor secret was encrypted")
	if bytes.Contains(stored(), plain) {
		t.Error("it is as it was")
	}
	ctl(t, "", "migrate", "--check", "--config", site).exits(0)
	ctl(t, "", "migrate", "--config", site).exits(0).says("No migration was needed")
}

func TestNewKeys(t *testing.T) {
	site := newSite(t)
	stored := withFactor(t, site, []byte("12345678901234567890"))
	keys := filepath.Join(filepath.Dir(site), "keys")
	generations := func() []string {
		t.Helper()
		text, err := os.ReadFile(keys)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for line := range strings.Lines(string(text)) {
			if line[0] != '#' {
				lines = append(lines, line)
			}
		}
		return lines
	}
	first := generations()
	ctl(t, "", "keys", "--config", site).exits(0).says("1 two-factor secret was encrypted")
	second := generations()
	if len(second) != 2 || second[1] != first[0] {
		t.Errorf("%d generations, or the old keys don't come second", len(second))
	}
	before := stored()
	ctl(t, "", "keys", "--config", site, "--keep", "1").exits(0)
	if third := generations(); len(third) != 1 || third[0] == second[0] || bytes.Equal(before, stored()) {
		t.Error("the old keys are still good")
	}
	ctl(t, "", "migrate", "--check", "--config", site).exits(0)
	ctl(t, "", "keys", "--config", site, "--keep", "0").exits(2)

	// A backup has what opens it.
	file := filepath.Join(t.TempDir(), "backup.tar")
	ctl(t, "", "backup", "--config", site, file).exits(0)
	ctl(t, "", "keys", "--config", site, "--keep", "1").exits(0)
	ctl(t, "", "restore", "--config", site, "--force", file).exits(0)
	ctl(t, "", "migrate", "--check", "--config", site).exits(0)

	// Keys of another site are none.
	os.Remove(keys)
	ctl(t, "", "init", "--dir", filepath.Dir(site)).exits(0)
	ctl(t, "", "doctor", "--quick", "--config", site).exits(1).says("problem keys: 1 two-factor secret can't be decrypted",
		"toasterctl user factor --off")
	ctl(t, "", "migrate", "--config", site).exits(0).complains("1 two-factor secret can't be decrypted")
	ctl(t, "", "user", "factor", "--off", email, "--config", site).exits(0)
	ctl(t, "", "migrate", "--config", site).exits(0)
}

func TestRootChangesTheKeysOfTheWebServersSite(t *testing.T) {
	site := foreignSite(t)
	keys := filepath.Join(filepath.Dir(site), "keys")
	before, err := os.Stat(keys)
	text, again := os.ReadFile(keys)
	if err != nil || again != nil {
		t.Fatal(err, again)
	}
	ctl(t, "", "keys", "--config", site).exits(0)
	after, err := os.Stat(keys)
	if now, again := os.ReadFile(keys); err != nil || again != nil || bytes.Equal(now, text) ||
		host.Owner(after) != host.Owner(before) || after.Mode() != before.Mode() {
		t.Errorf("%v: %v, %v", after, err, again)
	}
	ended(t, "", as(65534, "keys", "--config", site)).exits(1).complains("belongs to root")
}
