package store

import (
	"net/netip"
	"strconv"
	"strings"
)

// Networks that tries are counted for, from the one of a subscriber to that of a provider, and how many times as
// many each may make. An IPv6 subscriber has a /64 at least, and a /56 or a /48 for the asking (RFC 6177); providers
// begin at /32.
type network struct{ bits, times int }

var (
	networks4 = []network{{32, 1}, {24, 4}, {16, 16}}
	networks6 = []network{{64, 1}, {56, 2}, {48, 3}, {32, 16}}
)

// via joins the address that a proxy gives for its client with the proxy's own, which is the only one that is
// certain.
const via = " via "

// throughProxy is how many times as many tries all clients of a proxy may make that doesn't tell them apart for
// certain.
const throughProxy = 32

// Through is the address of a client that a proxy names, though nobody has said that the proxy is to be believed.
func Through(client, proxy string) string { return client + via + proxy }

// FromNetworks returns the limits for tries of something that come from an address: one for each size of network
// that it is in.
func FromNetworks(what, address string, rates []Rate) (limits []Limit) {
	add := func(name string, times int) {
		more := make([]Rate, len(rates))
		for i, r := range rates {
			more[i] = Rate{r.Count * times, r.Within}
		}
		limits = append(limits, Limit{Key: what + ":address:" + name, Rates: more})
	}
	client, proxy, proxied := strings.Cut(address, via)
	sizes, a := networksOf(client)
	for _, n := range sizes {
		add(name(a, n)+address[len(client):], n.times)
	}
	if sizes == nil {
		add(address, 1)
	}
	if proxied {
		add("by way of "+proxy, throughProxy)
	}
	return limits
}

// networksOf returns the networks that an address is in, the smallest first; nil where it is none.
func networksOf(address string) ([]network, netip.Addr) {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return nil, a
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return networks4, a
	}
	return networks6, a
}

func name(a netip.Addr, n network) string {
	if n.bits == a.BitLen() {
		return a.String()
	}
	return netip.PrefixFrom(a, n.bits).Masked().Addr().String() + "/" + strconv.Itoa(n.bits)
}

// Network returns the part of a network address that tells one subscriber from another.
func Network(address string) string {
	client, _, _ := strings.Cut(address, via)
	sizes, a := networksOf(client)
	if sizes == nil {
		return address
	}
	return name(a, sizes[0]) + address[len(client):]
}
