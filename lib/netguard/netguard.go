// Package netguard keeps requests whose addresses users or strangers decide to the internet: away from this host, its
// neighbours, and the metadata of clouds.
package netguard

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"syscall"
)

// ErrPrivate is of an address that is none of the internet.
var ErrPrivate = errors.New("the address is a private one")

// closedNets are what is no address of the internet, beside what package netip knows: this host's and its neighbours',
// a provider's, and those that another address is hidden in.
var closedNets = sync.OnceValue(func() (nets []netip.Prefix) {
	for _, s := range []string{"0.0.0.0/8", "100.64.0.0/10", "168.63.129.16/32", "192.0.0.0/24", "192.0.2.0/24",
		"192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fec0::/10"} {
		nets = append(nets, netip.MustParsePrefix(s))
	}
	return nets
})

// IsPublic tells whether an address is one of the internet.
func IsPublic(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return a.IsGlobalUnicast() && !a.IsPrivate() &&
		!slices.ContainsFunc(closedNets(), func(n netip.Prefix) bool { return n.Contains(a) })
}

// PublicOnly is a net.Dialer's Control: it is called with the address that a name has, just before the connection, so
// that no other answer of a name server comes between. All but those of the internet are ErrPrivate.
func PublicOnly(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !IsPublic(a.Addr()) {
		return fmt.Errorf("%s: %w", address, ErrPrivate)
	}
	return nil
}
