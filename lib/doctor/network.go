package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"toaster.do/lib/config"
	"toaster.do/lib/doctor/check"
	"toaster.do/lib/gitsource"
	"toaster.do/lib/target"
)

// isClosed tells whether a build can't reach an address unless it is allowed to.
func isClosed(a netip.Addr) bool {
	var nets []netip.Prefix
	for _, text := range gitsource.Closed {
		nets = append(nets, netip.MustParsePrefix(text))
	}
	if found, err := net.InterfaceAddrs(); err == nil {
		for _, n := range found {
			if p, err := netip.ParsePrefix(n.String()); err == nil && p.Addr().Is4() {
				nets = append(nets, p.Masked())
			}
		}
	}
	return slices.ContainsFunc(nets, func(p netip.Prefix) bool { return p.Contains(a) })
}

// way is where packages come from for a build: a mirror, or a proxy before all of them.
type way struct{ what, host, port string }

// waysOut looks at the mirrors of the targets, or the proxy, and returns those that this host reaches, for a build to
// try.
func (s Site) waysOut(
	ctx context.Context, targets *target.Targets, env []string,
) (all []check.Result, reach []string) {
	for _, w := range ways(ctx, targets, env) {
		f := w.look(ctx, s.Config)
		if f == nil {
			reach = append(reach, net.JoinHostPort(w.host, w.port))
			continue
		}
		all = append(all, *f)
	}
	for _, address := range s.Sandbox.Allow {
		// This host's loopback has another address in a build.
		if strings.HasPrefix(address, "10.0.2.2:") || slices.Contains(reach, address) {
			continue
		}
		if dials(ctx, address) {
			reach = append(reach, address)
		} else {
			all = append(all,
				check.Skip("isolation: "+address, "it is in [sandbox] allow, but does not respond to this host."))
		}
	}
	return all, reach
}

// look returns nil where a build can be expected to get there.
func (w way) look(ctx context.Context, cfg *config.Config) *check.Result {
	name := fmt.Sprintf("isolation: %s %s:%s", w.what, w.host, w.port)
	limited, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(limited, "ip4", w.host)
	if err != nil || len(found) == 0 {
		return new(check.Skip(name, "it has no IPv4 address on this host, and builds have no IPv6."))
	}
	var closed []string
	for _, a := range found {
		endpoint := netip.AddrPortFrom(a.Unmap(), 0).Addr().String() + ":" + w.port
		switch {
		case !isClosed(a.Unmap()) || slices.Contains(cfg.Sandbox.Allow, endpoint):
			if dials(ctx, endpoint) {
				return nil
			}
			return new(check.Skip(name, "it does not respond to this host."))
		case a.IsLoopback():
			return new(check.Fail(name, "it listens on the loopback interface of this host, which builds can't reach.",
				"Let it listen on another address of this host, use that address instead, and add it to [sandbox] allow in "+
					cfg.Path+"."))
		}
		closed = append(closed, endpoint)
	}
	quoted := fmt.Sprintf("%q", append(slices.Clone(cfg.Sandbox.Allow), closed...))
	return new(check.Fail(name,
		fmt.Sprintf("it is at %s, in a network that builds can't reach.", strings.Join(closed, ", ")),
		fmt.Sprintf("In %s, below [sandbox]: allow = %s", cfg.Path, strings.ReplaceAll(quoted, `" "`, `", "`))))
}

func dials(ctx context.Context, address string) bool {
	conn, err := (&net.Dialer{Timeout: 3 * time.Second}).DialContext(ctx, "tcp", address)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// ways returns the proxy where builds have one, and else the archives of the targets that are on.
func ways(ctx context.Context, targets *target.Targets, env []string) (all []way) {
	add := func(what, address string) {
		u, err := url.Parse(address)
		if err != nil || u.Hostname() == "" || u.Hostname() == "DIRECT" {
			return
		}
		port := u.Port()
		if port == "" {
			port = map[string]string{"https": "443"}[u.Scheme]
		}
		if port == "" {
			port = "80"
		}
		if w := (way{what, u.Hostname(), port}); !slices.Contains(all, w) {
			all = append(all, w)
		}
	}
	for _, name := range []string{"http_proxy", "https_proxy"} {
		add("the proxy", valueOf(env, name))
	}
	settings, _ := exec.CommandContext(ctx, "apt-config", "dump", "Acquire").Output()
	aptsProxy := regexp.MustCompile(`(?im)^Acquire::https?::proxy "([^"]+)";$`)
	for _, m := range aptsProxy.FindAllSubmatch(settings, -1) {
		add("the proxy", string(m[1]))
	}
	if len(all) > 0 {
		return all
	}
	for _, t := range targets.On() {
		if t.Mirror != "" {
			add("the mirror", t.Mirror)
			continue
		}
		sites, _ := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(SITE)", "Identifier: Packages").
			Output()
		for site := range strings.FieldsSeq(string(sites)) {
			add("the mirror", site)
		}
	}
	return all
}
