package doctor

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"toaster.do/lib/gitsource"
)

// Doctor and the sandbox have one idea of what is closed.
func TestClosedNetworksAreTheSandboxs(t *testing.T) {
	text, err := os.ReadFile("../dockerfile/zsh/network.zsh")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "closed=(")
	rest, _, found := strings.Cut(rest, "$host_networks)")
	if !found {
		t.Fatal("network.zsh has no list")
	}
	var have []string
	for _, word := range strings.Fields(rest) {
		if !strings.Contains(word, "/") {
			word += "/32"
		}
		have = append(have, word)
	}
	if !slices.Equal(have, gitsource.Closed) {
		t.Errorf("the sandbox closes %v, doctor knows %v", have, gitsource.Closed)
	}
}

func TestIsClosed(t *testing.T) {
	for address, want := range map[string]bool{"10.1.2.3": true, "127.0.0.1": true, "192.168.0.1": true,
		"172.31.0.1": true, "172.32.0.1": false,
		"169.254.169.254": true, "1.1.1.1": false, "151.101.2.132": false, "239.0.0.1": true, "100.127.0.1": true} {
		if got := isClosed(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}
