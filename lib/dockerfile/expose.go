package dockerfile

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
)

// expose notes ports; a range becomes each of its ports.
func (t *translator) expose(s *stage, in *instructions.ExposeCommand, lint *linter.Linter) {
	for _, word := range in.Ports {
		r, err := t.replaceWords(word, &s.env)
		if err != nil {
			t.failIn(s, in.Location(), "Syntax", "%s", "Correct the variable.", sentence(err.Error()))
			return
		}
		for _, p := range r.Words {
			if !t.spend(10 + len(p)/8) {
				return
			}
			list, err := t.parsePort(p, in, lint)
			if err != nil {
				t.failIn(s, in.Location(), "Syntax", "EXPOSE %s: %v", "Write a port as in EXPOSE 8080/tcp.", p, err)
				return
			}
			if s.config.ExposedPorts == nil {
				s.config.ExposedPorts = map[string]struct{}{}
			}
			for _, one := range list {
				s.config.ExposedPorts[one] = struct{}{}
			}
		}
	}
}

// parsePort reads PORT[-PORT][/PROTOCOL]. An address and a port of the host before it are accepted and ignored, as
// BuildKit does.
func (t *translator) parsePort(raw string, in *instructions.ExposeCommand, lint *linter.Linter) ([]string, error) {
	parts := strings.Split(raw, ":")
	n := len(parts)
	ip, host := strings.Join(parts[:max(n-2, 0)], ":"), ""
	if n > 1 {
		host = parts[n-2]
	}
	port, proto, _ := strings.Cut(parts[n-1], "/")
	if proto != strings.ToLower(proto) {
		lint.Run(&linter.RuleExposeProtoCasing, in.Location(), linter.RuleExposeProtoCasing.Format(raw))
	}
	if ip != "" || host != "" {
		lint.Run(&linter.RuleExposeInvalidFormat, in.Location(), linter.RuleExposeInvalidFormat.Format(raw))
	}
	if addr := strings.Trim(ip, "[]"); ip != "" && net.ParseIP(addr) == nil {
		return nil, fmt.Errorf("invalid IP address %s", ip)
	}
	switch proto = strings.ToLower(proto); proto {
	case "":
		proto = "tcp"
	case "tcp", "udp", "sctp":
	default:
		return nil, fmt.Errorf("invalid protocol %s", proto)
	}
	first, last, err := portRange(port)
	if err != nil {
		return nil, err
	}
	if host != "" {
		from, to, err := portRange(host)
		if err != nil {
			return nil, err
		}
		if last != first && to-from != last-first {
			return nil, fmt.Errorf("the ranges %s and %s differ in length", host, port)
		}
	}
	if !t.spend(3 * (last - first)) {
		return nil, errTooSlow
	}
	var out []string
	for p := first; p <= last; p++ {
		out = append(out, strconv.Itoa(p)+"/"+proto)
	}
	return out, nil
}

func portRange(s string) (first, last int, err error) {
	a, b, ranged := strings.Cut(s, "-")
	if first, err = portNumber(a); err != nil {
		return
	}
	last = first
	if ranged {
		if last, err = portNumber(b); err == nil && last < first {
			err = fmt.Errorf("invalid range %s", s)
		}
	}
	return
}

func portNumber(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%q is not a port number", s)
	}
	return int(n), nil
}
