package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"toaster.do/lib/apperr"
)

// place is where the configuration lies when nobody says otherwise (design: § Files).
const place = "/etc/toaster/toaster.toml"

// Default returns the configuration of an installation that changed nothing.
func Default() *Config {
	return &Config{
		Site:   Site{Name: "toaster"},
		Engine: "local",
		Paths: Paths{
			Database: "/var/lib/toaster/toaster.db",
			Keys:     "/etc/toaster/keys",
			Targets:  "/etc/toaster/targets.toml",
			Builds:   "/var/lib/toaster/builds",
			Contexts: "/var/lib/toaster/contexts",
			Client:   "/usr/share/toaster/static/client",
		},
		Local: Local{Concurrency: 1, TimeLimit: 2 * time.Hour, OutputLimit: 64 << 20, Keep: 5,
			WorkDir: "/var/lib/toaster-runner", ArtifactLimit: 20 << 30},
		Sandbox:  Sandbox{Allow: []string{}, Processes: 4096, OpenFiles: 65536},
		Registry: defaultRegistry(),
		Hooks:    Hooks{Allow: []string{}},
		Git:      defaultGit(),
		Jenkins: Jenkins{
			View: "web-sdk-builds", ConnectTimeout: 2 * time.Second, CallTimeout: 10 * time.Second, TimeLimit: 2 * time.Hour,
			Keep:        5,
			OutputLimit: 64 << 20,
		},
		Limits: Limits{
			Dockerfile:       64 << 10,
			Context:          1 << 30,
			ContextEntries:   200000,
			Jobs:             3,
			ConcurrentBuilds: 3,
			BuildsPerDay:     50,
			Minutes:          480,
			Sources:          100 << 20,
			Contexts:         5 << 30,
			ArtifactBytes:    20 << 30,
			KeepDays:         30,
			Queue:            100,
			FreeDisk:         1 << 30,
			Silence:          duration{30 * time.Minute},
		},
		Session: Session{Idle: 12 * time.Hour, MaxAge: 7 * 24 * time.Hour, Secure: "auto"},
		Signup:  Signup{Mode: "approval", Domains: []string{}},
		Mail:    Mail{Port: 587, TLS: "starttls"},
		Log:     Log{Format: "text", To: "stderr"},
	}
}

// Load reads the file at path; an empty path means $TOASTER_CONF, or /etc/toaster/toaster.toml. A key that the
// file leaves out has its default. A file that is missing or wrong is a fault of kind Unavailable, whose cause
// names the file, and where something in it is wrong the line and the key.
func Load(path string) (*Config, error) {
	if path == "" {
		path = os.Getenv("TOASTER_CONF")
	}
	if path == "" {
		path = place
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, apperr.Wrap(apperr.Unavailable, err, "This site is not set up yet.",
			"Administrator: run “toasterctl init”.")
	}
	var c *Config
	if err == nil {
		c, err = parse(data, path)
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, apperr.Wrap(apperr.Unavailable, err, "This site's configuration can't be used.",
			"Administrator: let the web server's user read the file.")
	case err != nil:
		return nil, apperr.Wrap(apperr.Unavailable, err, "This site's configuration can't be used.",
			"Administrator: correct the line that the log names, then run “toasterctl doctor”.")
	}
	return c, nil
}

// parse reads a file's content. Relative paths in it start at the file's folder.
func parse(data []byte, path string) (*Config, error) {
	f := fileOf(Default())
	if err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(f); err != nil {
		return nil, explain(err, data, path)
	}
	c := f.config()
	c.Path = path
	if bad := c.check(); bad != nil {
		return nil, fmt.Errorf("%s:%d: %s: %s", path, max(1, lineOf(data, bad.key)), bad.key, bad.want)
	}
	for _, f := range c.Named() {
		if *f.Path != "" && !filepath.IsAbs(*f.Path) {
			*f.Path = filepath.Join(filepath.Dir(path), *f.Path)
		}
	}
	c.Site.URL = strings.TrimRight(c.Site.URL, "/")
	return c, nil
}
