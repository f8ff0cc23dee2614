package store

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"toaster.do/lib/apperr"
)

// FuzzEmailToken: of all secrets only the very one that was sent opens something, and only for its own purpose.
func FuzzEmailToken(f *testing.F) {
	path := filepath.Join(f.TempDir(), "toaster.db")
	if _, _, err := Migrate(f.Context(), path); err != nil {
		f.Fatal(err)
	}
	db, err := Open(f.Context(), path)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	p := &User{Email: "anna@example.org", Role: RoleUser, State: Pending, MaxJobs: -1, CreatedAt: day}
	link, secret := NewEmailToken("activate", p.Email, day, time.Hour)
	if err := db.AddUser(f.Context(), p); err != nil {
		f.Fatal(err)
	}
	if err := db.SendEmailToken(f.Context(), p.ID, link); err != nil {
		f.Fatal(err)
	}
	f.Add("activate", secret)
	f.Add("recover", secret)
	f.Add("activate", secret+"=")
	f.Fuzz(func(t *testing.T, kind, typed string) {
		_, found, err := db.FindEmailToken(t.Context(), EmailTokenKind(kind), typed, day)
		switch {
		case kind == "activate" && typed == secret:
			if err != nil || found.ID != p.ID {
				t.Error(found, err)
			}
		case err == nil || apperr.KindOf(err) != apperr.NotFound:
			t.Errorf("%q for %q: %v", typed, kind, err)
		}
	})
}

// FuzzNetwork: an IPv4 address is a network by itself, an IPv6 address is in its own, and nothing is in two.
func FuzzNetwork(f *testing.F) {
	for _, address := range []string{"192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "fe80::1%eth0", "unix:"} {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		network := Network(address)
		a, err := netip.ParseAddr(address)
		if err != nil {
			if network != address {
				t.Errorf("%q is in %q", address, network)
			}
			return
		}
		if a = a.Unmap().WithZone(""); a.Is4() {
			if network != a.String() || Network(network) != network {
				t.Errorf("%q is in %q", address, network)
			}
			return
		}
		if p, err := netip.ParsePrefix(network); err != nil || p.Bits() != 64 || !p.Contains(a) || p.Masked() != p {
			t.Errorf("%q is in %q", address, network)
		}
	})
}
