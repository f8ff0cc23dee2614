package netguard

import (
	"errors"
	"net/netip"
	"testing"
)

func TestWhatIsPublic(t *testing.T) {
	for text, want := range map[string]bool{
		"93.184.216.34": true, "2606:4700::1111": true, "8.8.8.8": true, "::ffff:8.8.8.8": true,
		"127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.0.1": false, "169.254.169.254": false,
		"100.100.100.200": false,
		"0.0.0.0":         false, "0.1.2.3": false, "224.0.0.1": false, "255.255.255.255": false, "168.63.129.16": false,
		"198.18.0.1": false,
		"::1":        false, "::": false, "fe80::1": false, "fe80::1%eth0": false, "fd00:ec2::254": false, "ff02::1": false,
		"::ffff:10.0.0.1": false,
		"::127.0.0.1":     false, "64:ff9b::a00:1": false, "2002:7f00:1::": false, "2001::1": false, "fec0::1": false,
		"192.0.0.8": false,
	} {
		if got := IsPublic(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
		err := PublicOnly("tcp", netip.AddrPortFrom(netip.MustParseAddr(text), 443).String(), nil)
		if (err == nil) != want || err != nil && !errors.Is(err, ErrPrivate) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
