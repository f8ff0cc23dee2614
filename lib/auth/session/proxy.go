package session

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// ProxyFact is under which name the database has when Proxied was last true.
const ProxyFact = "proxy"

// remote is the address at the other end of the web server's connection.
func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// Proxied tells whether the request came through a proxy whose word the web server doesn't take (mod_remoteip,
// mod_extforward): it comes from this host or its own network, and says that it is somebody else's. Client is whose
// it says, which may be a lie; "somebody" where that is no address.
func Proxied(r *http.Request) (client string, hidden bool) {
	said := forwardedFor(r.Header)
	if said == "" {
		return "", false
	}
	from, err := netip.ParseAddr(remote(r))
	if err != nil || !from.IsLoopback() && !from.IsPrivate() && !from.IsLinkLocalUnicast() {
		return "", false
	}
	named, err := netip.ParseAddr(said)
	if err != nil {
		return "somebody", true
	}
	// A web server that has taken the proxy's word may leave the header.
	named = named.Unmap().WithZone("")
	return named.String(), named != from.Unmap().WithZone("")
}

// forwardedFor returns the last address that X-Forwarded-For, or else Forwarded (RFC 7239), has: the nearest proxy
// has added it, and who is before it may have written whatever stands before.
func forwardedFor(h http.Header) string {
	if list := strings.Join(h.Values("X-Forwarded-For"), ","); list != "" {
		return withoutPort(last(list))
	}
	said := ""
	for _, pair := range strings.Split(last(strings.Join(h.Values("Forwarded"), ",")), ";") {
		if name, value, _ := strings.Cut(pair, "="); strings.EqualFold(strings.TrimSpace(name), "for") {
			said = withoutPort(strings.Trim(strings.TrimSpace(value), `"`))
		}
	}
	return said
}

func last(list string) string { return strings.TrimSpace(list[strings.LastIndexByte(list, ',')+1:]) }

// withoutPort takes what some proxies add: "192.0.2.1:4711", "[2001:db8::1]:4711".
func withoutPort(address string) string {
	if a, err := netip.ParseAddrPort(address); err == nil {
		return a.Addr().String()
	}
	return strings.Trim(address, "[]")
}
