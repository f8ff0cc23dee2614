package config

import (
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// rule is what a key's value has to be.
type rule struct {
	ok        bool
	key, want string
}

// check returns the first rule that c breaks, or nil.
func (c *Config) check() *rule {
	for _, r := range c.rules() {
		if !r.ok {
			return &r
		}
	}
	return nil
}

func (c *Config) rules() []rule {
	return append([]rule{
		{c.Site.Name != "", "site.name", "must not be empty"},
		{c.Site.URL == "" || isAddress(c.Site.URL), "site.url",
			`must be an address such as "https://toaster.example.org/toaster"`},
		{c.Site.Prefix == "" || isPrefix(c.Site.Prefix), "site.prefix", `must be a path such as "/toaster", or empty`},
		{c.Paths.Database != "", "paths.database", "must not be empty"},
		{c.Paths.Keys != "", "paths.keys", "must not be empty"},
		{c.Paths.Targets != "", "paths.targets", "must not be empty"},
		{c.Paths.Builds != "", "paths.builds", "must not be empty"},
		{c.Paths.Contexts != "", "paths.contexts", "must not be empty"},
		{c.Engine == "local" || c.Engine == "jenkins", "engine", `must be "local" or "jenkins"`},
		{c.Local.Concurrency > 0, "local.concurrency", "must be at least 1"},
		{c.Local.TimeLimit >= time.Second, "local.time_limit", "must be at least a second"},
		{c.Local.OutputLimit >= 1<<10, "local.output_limit", "must be at least 1 KiB"},
		{c.Local.Keep > 0, "local.keep", "must be at least 1"},
		{c.Local.WorkDir != "", "local.work_dir", "must not be empty"},
		{c.Local.ArtifactLimit >= 0, "local.artifact_limit", "must not be negative"},
		{c.Sandbox.Processes > 0, "sandbox.processes", "must be at least 1"},
		{c.Sandbox.CPUs == 0 || c.Sandbox.CPUs >= 0.01 && c.Sandbox.CPUs <= 4096, "sandbox.cpus",
			"must be a number of processors, such as 1.5, or 0"},
		{isShare(c.Sandbox.Memory), "sandbox.memory", `must be at least "64 MiB", or "0" for what the host can spare`},
		{isShare(c.Sandbox.Disk), "sandbox.disk", `must be at least "64 MiB", or "0" for unlimited`},
		{c.Sandbox.OpenFiles >= 64, "sandbox.open_files", "must be at least 64"},
		{!slices.ContainsFunc(c.Sandbox.Allow, func(s string) bool { return !isEndpoint(s) }), "sandbox.allow",
			`must be a list of IPv4 addresses with ports, such as ["10.1.2.3:3128"]`},
		{len(slices.Compact(slices.Sorted(slices.Values(c.Sandbox.Allow)))) == len(c.Sandbox.Allow), "sandbox.allow",
			"must not name an address twice"},
		{allOf(c.Hooks.Allow, isHost), "hooks.allow",
			`must be a list of hosts, with or without ports, such as ["ci.internal:8080", "10.1.2.3"]`},
		{c.Jenkins.URL == "" && c.Engine != "jenkins" || isAddress(c.Jenkins.URL), "jenkins.url",
			`must be an address such as "https://jenkins.example.org/"`},
		{c.Jenkins.User != "" || c.Engine != "jenkins", "jenkins.user", "must name toaster's account on Jenkins"},
		{c.Engine != "jenkins" || c.Jenkins.secrets() == 1, "jenkins.token_file", "must be set, unless token or password is"},
		{c.Jenkins.View != "", "jenkins.view", "must not be empty"},
		{c.Jenkins.ConnectTimeout >= 100*time.Millisecond, "jenkins.connect_timeout", "must be at least 100ms"},
		{c.Jenkins.CallTimeout >= c.Jenkins.ConnectTimeout, "jenkins.call_timeout",
			"must not be shorter than jenkins.connect_timeout"},
		{c.Jenkins.TimeLimit >= time.Second, "jenkins.time_limit", "must be at least a second"},
		{c.Jenkins.OutputLimit >= 1<<10, "jenkins.output_limit", "must be at least 1 KiB"},
		{c.Jenkins.Keep > 0, "jenkins.keep", "must be at least 1"},
		{c.Limits.Dockerfile > 0, "limits.dockerfile", "must be more than 0"},
		{c.Limits.Context > 0, "limits.context", "must be more than 0"},
		{c.Limits.ContextEntries > 0, "limits.context_entries", "must be at least 1"},
		{c.Limits.Jobs >= 0, "limits.jobs", "must not be negative"},
		{c.Limits.ConcurrentBuilds >= 0, "limits.concurrent_builds", "must not be negative"},
		{c.Limits.BuildsPerDay >= 0, "limits.builds_per_day", "must not be negative"},
		{c.Limits.Minutes >= 0, "limits.build_minutes", "must not be negative"},
		{c.Limits.KeepDays >= 0, "limits.keep_days", "must not be negative"},
		{c.Limits.Queue >= 0, "limits.queue", "must not be negative"},
		{c.Limits.FreeDisk >= 0, "limits.free_disk", "must not be negative"},
		{c.Limits.Silence.Duration >= 0 && c.Limits.Silence.Duration%time.Second == 0, "limits.silence_limit",
			"must be whole seconds"},
		{c.Log.Format == "text" || c.Log.Format == "json", "log.format", `must be "text" or "json"`},
		{c.Log.To == "stderr" || c.Log.To == "syslog", "log.to", `must be "stderr" or "syslog"`},
		{c.Session.Idle >= time.Minute, "session.idle", "must be at least a minute"},
		{c.Session.MaxAge >= c.Session.Idle, "session.max_age", "must not be shorter than session.idle"},
		{c.Session.Secure == "auto" || c.Session.Secure == "always" || c.Session.Secure == "never", "session.secure",
			`must be "auto", "always" or "never"`},
	}, slices.Concat(c.registryRules(), c.gitRules(), c.peopleRules())...)
}

// secrets counts the ways to log in that are set.
func (j *Jenkins) secrets() (n int) {
	for _, s := range []string{j.Token, j.TokenFile, j.Password} {
		if s != "" {
			n++
		}
	}
	return n
}

func isAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.RawQuery == "" &&
		u.Fragment == ""
}

// isEndpoint tells whether s is an address and a port that a build may be let through to.
func isEndpoint(s string) bool {
	a, err := netip.ParseAddrPort(s)
	return err == nil && a.Addr().Is4() && a.Port() > 0 && (a.Addr().IsGlobalUnicast() || a.Addr().IsLinkLocalUnicast())
}

// isShare tells whether a build can do with so much, or has no limit.
func isShare(s Size) bool { return s == 0 || s >= 64<<20 }

// isPrefix tells whether s can stand in front of every path, and in a cookie's Path.
func isPrefix(s string) bool {
	odd := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(";,?#%\"\\", r) }
	return len(s) > 1 && s[0] == '/' && path.Clean(s) == s && !strings.ContainsFunc(s, odd)
}
