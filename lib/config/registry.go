package config

import (
	"net"
	"strconv"
	"strings"
	"time"
)

// Registry says where the images come from that Dockerfiles name, and what may be asked for.
type Registry struct {
	AuthFile string              `toml:"auth_file" file:"registry-auth"` // Docker's config.json; empty: no accounts
	Mirrors  map[string][]string // of a registry: HOST[:PORT][/PATH], asked before it, in this order
	Allow    []string            // HOST or HOST/PATH of images that may be used; empty: all
	Insecure []string            // HOST:PORT that may be asked without encryption, and have a private address
	Plain    map[string]string   // images that are plain "debian" or "devuan": their names without a tag
	MaxBytes Size                `toml:"max_bytes"` // of an image's layers together, as they are fetched; 0: any number

	ConnectTimeout duration `toml:"connect_timeout"` // until it is connected
	LookupTimeout  duration `toml:"lookup_timeout"`  // until all images of a Dockerfile are looked up
}

func defaultRegistry() Registry {
	return Registry{Mirrors: map[string][]string{}, Allow: []string{}, Insecure: []string{},
		Plain: map[string]string{}, MaxBytes: 10 << 30,
		ConnectTimeout: duration{2 * time.Second}, LookupTimeout: duration{8 * time.Second}}
}

// Accounts reads the file of accounts; empty where there is none. A file that everybody can read is refused.
func (r Registry) Accounts() ([]byte, error) {
	if r.AuthFile == "" {
		return nil, nil
	}
	return readSecret(r.AuthFile)
}

func (c *Config) registryRules() []rule {
	r := c.Registry
	mirrors := true
	for host, list := range r.Mirrors {
		mirrors = mirrors && isHost(host) && len(list) > 0 && allOf(list, isPlace)
	}
	plain := true
	for name, distribution := range r.Plain {
		plain = plain && isImage(name) && (distribution == "debian" || distribution == "devuan")
	}
	return []rule{
		{mirrors, "registry.mirrors",
			`must be a table of lists such as { "docker.io" = ["mirror.example.org"] }, without https://`},
		{allOf(r.Allow, isPlace), "registry.allow", `must be a list such as ["docker.io/library", "ghcr.io"]`},
		{allOf(r.Insecure, func(s string) bool { return strings.Contains(s, ":") && isHost(s) }), "registry.insecure",
			`must be a list of hosts with ports, such as ["registry.example.org:5000"]`},
		{plain, "registry.plain",
			`must be a table such as { "registry.example.org/base/debian" = "debian" }, of images without a tag`},
		{r.MaxBytes == 0 || r.MaxBytes >= 1<<20, "registry.max_bytes", `must be at least "1 MiB", or "0" for unlimited`},
		{r.ConnectTimeout.Duration >= 100*time.Millisecond, "registry.connect_timeout", "must be at least 100ms"},
		{r.LookupTimeout.Duration >= r.ConnectTimeout.Duration, "registry.lookup_timeout",
			"must not be shorter than registry.connect_timeout"},
	}
}

// isPlace tells whether s is HOST[:PORT][/PATH], as the name of an image begins.
func isPlace(s string) bool {
	host, path, found := strings.Cut(s, "/")
	return isHost(host) && (!found || path != "" && allOf(strings.Split(path, "/"), isPathPart))
}

// isImage tells whether s is the name of an image, without a tag.
func isImage(s string) bool {
	return len(s) < 256 && allOf(strings.Split(s, "/"), isPathPart) || isPlace(s) && strings.Contains(s, "/")
}

// isPathPart tells whether s is a part of an image's path.
func isPathPart(s string) bool {
	return isDomain(strings.ReplaceAll(s, "_", "-")) && strings.ToLower(s) == s
}

// isHost tells whether s is HOST or HOST:PORT, as an image's name says it: docker.io, [::1]:5000.
func isHost(s string) bool {
	host := s
	if h, port, err := net.SplitHostPort(s); err == nil {
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 {
			return false
		}
		if host = h; strings.Contains(h, ":") {
			return net.ParseIP(h) != nil
		}
	}
	return isDomain(host) && (host != s || host == "localhost" || strings.Contains(host, "."))
}
