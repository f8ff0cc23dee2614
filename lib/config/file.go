package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// file is the configuration as it is written.
type file struct {
	Engine string
	Site   Site
	Paths  Paths
	Limits Limits
	Local  struct {
		Concurrency int
		TimeLimit   duration `toml:"time_limit"`
		OutputLimit Size     `toml:"output_limit"`
		Keep        int
		WorkDir     string `toml:"work_dir"`

		ArtifactLimit Size `toml:"artifact_limit"`
	}
	Sandbox  Sandbox
	Registry Registry
	Hooks    Hooks
	Git      Git
	Jenkins  struct {
		URL, User, Token, Password, View, CA string

		TokenFile      string   `toml:"token_file"`
		ConnectTimeout duration `toml:"connect_timeout"`
		CallTimeout    duration `toml:"call_timeout"`
		TimeLimit      duration `toml:"time_limit"`
		OutputLimit    Size     `toml:"output_limit"`
		Keep           int
	}
	Session struct {
		Idle         duration
		MaxAge       duration `toml:"max_age"`
		Secure       string
		SecondFactor bool `toml:"second_factor"`
	}
	Signup Signup
	Admin  Admin
	Mail   Mail
	Log    Log
}

// fileOf returns c as it would be written, so that what a file leaves out keeps its value.
func fileOf(c *Config) *file {
	f := &file{Engine: c.Engine, Site: c.Site, Paths: c.Paths, Sandbox: c.Sandbox, Registry: c.Registry, Hooks: c.Hooks,
		Git:    c.Git,
		Limits: c.Limits, Signup: c.Signup, Admin: c.Admin, Mail: c.Mail, Log: c.Log}
	f.Local.Concurrency, f.Local.Keep, f.Local.WorkDir = c.Local.Concurrency, c.Local.Keep, c.Local.WorkDir
	f.Local.TimeLimit, f.Local.OutputLimit, f.Local.ArtifactLimit = duration{c.Local.TimeLimit}, c.Local.OutputLimit,
		c.Local.ArtifactLimit
	j := &f.Jenkins
	j.URL, j.User, j.Token, j.TokenFile, j.Password = c.Jenkins.URL, c.Jenkins.User, c.Jenkins.Token, c.Jenkins.TokenFile,
		c.Jenkins.Password
	j.View, j.CA, j.Keep, j.TimeLimit = c.Jenkins.View, c.Jenkins.CA, c.Jenkins.Keep, duration{c.Jenkins.TimeLimit}
	j.OutputLimit = c.Jenkins.OutputLimit
	j.ConnectTimeout, j.CallTimeout = duration{c.Jenkins.ConnectTimeout}, duration{c.Jenkins.CallTimeout}
	f.Session.Idle, f.Session.MaxAge, f.Session.Secure = duration{c.Session.Idle}, duration{c.Session.MaxAge},
		c.Session.Secure
	f.Session.SecondFactor = c.Session.SecondFactor
	return f
}

func (f *file) config() *Config {
	j := &f.Jenkins
	return &Config{
		Engine: f.Engine, Site: f.Site, Paths: f.Paths, Sandbox: f.Sandbox, Registry: f.Registry, Hooks: f.Hooks,
		Git:    f.Git,
		Limits: f.Limits,
		Local: Local{f.Local.Concurrency, f.Local.TimeLimit.Duration, f.Local.OutputLimit, f.Local.Keep, f.Local.WorkDir,
			f.Local.ArtifactLimit},
		Jenkins: Jenkins{
			URL: j.URL, User: j.User, Token: j.Token, TokenFile: j.TokenFile, Password: j.Password, View: j.View, CA: j.CA,
			ConnectTimeout: j.ConnectTimeout.Duration, CallTimeout: j.CallTimeout.Duration, TimeLimit: j.TimeLimit.Duration,
			Keep:        j.Keep,
			OutputLimit: j.OutputLimit,
		},
		Session: Session{f.Session.Idle.Duration, f.Session.MaxAge.Duration, f.Session.Secure, f.Session.SecondFactor},
		Signup:  f.Signup, Admin: f.Admin, Mail: f.Mail, Log: f.Log,
	}
}

// Size is a number of bytes. In the file: "64 KiB", "1 MiB", "2 GiB", or a plain number.
type Size int64

var units = []struct {
	name  string
	bytes Size
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"", 1}}

// UnmarshalText reads a number and a unit.
func (s *Size) UnmarshalText(text []byte) error {
	for _, u := range units {
		digits, ok := strings.CutSuffix(string(text), u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > int64(1<<62/u.bytes) {
			break
		}
		*s = Size(n) * u.bytes
		return nil
	}
	return &valueError{string(text), `a size: write 65536, "64 KiB", "1 MiB" or "2 GiB"`}
}

// String returns the size in the largest unit that leaves no remainder: "64 KiB".
func (s Size) String() string {
	for _, u := range units {
		if s >= u.bytes && s%u.bytes == 0 {
			return fmt.Sprintf("%d %s", s/u.bytes, u.name)
		}
	}
	return "0 B"
}

// duration is a span of time. In the file: "90s", "30m", "12h", "1h30m".
type duration struct{ time.Duration }

func (d *duration) UnmarshalText(text []byte) (err error) {
	if d.Duration, err = time.ParseDuration(string(text)); err != nil {
		return &valueError{string(text), `a duration: write "90s", "30m" or "12h"`}
	}
	return nil
}
