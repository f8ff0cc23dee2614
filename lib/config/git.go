package config

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"
)

// Git says which repositories jobs may name as their source, and how they are fetched.
type Git struct {
	Allow      []string // "HOST:PORT" that may be reached without encryption and in private networks
	KnownHosts string   `toml:"known_hosts" file:"git-known-hosts"` // keys of SSH servers; empty: systemKnownHosts
	TimeLimit  duration `toml:"time_limit"`                         // of a fetch
}

// systemKnownHosts is OpenSSH's: see ssh(1), FILES.
const systemKnownHosts = "/etc/ssh/ssh_known_hosts"

func defaultGit() Git {
	return Git{Allow: []string{}, TimeLimit: duration{5 * time.Minute}}
}

// HostKeys reads the keys of SSH servers that the site knows; a file of the system that is missing has none.
func (g Git) HostKeys() (string, error) {
	if g.KnownHosts != "" {
		text, err := os.ReadFile(g.KnownHosts)
		return string(text), err
	}
	text, err := os.ReadFile(systemKnownHosts)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(text), err
}

func (c *Config) gitRules() []rule {
	return []rule{
		{allOf(c.Git.Allow, func(s string) bool { return strings.Contains(s, ":") && isHost(s) && !strings.HasPrefix(s, "[") }),
			"git.allow", `must be a list of hosts with ports, such as ["git.example.org:443", "10.1.2.3:22"]`},
		{c.Git.TimeLimit.Duration >= time.Second, "git.time_limit", "must be at least a second"},
	}
}
