package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// config is the file that “toaster login” writes.
type config struct {
	Default string `toml:"default" comment:"The site that is used where --site and TOASTER_URL name none."`
	Sites   []site `toml:"site"`
}

// site is where somebody has logged in.
type site struct {
	URL   string `toml:"url"`
	Token string `toml:"token"`
	Key   string `toml:"key,omitempty" comment:"The site's public key (minisign), as it was at the first login."`
}

// configPath is where the file is: ~/.config/toaster/config.toml on Linux.
func configPath() (string, error) {
	dir, err := os.UserConfigDir()
	if runtime.GOOS == "darwin" && err == nil { // where people look for the files of commands
		var home string
		home, err = os.UserHomeDir()
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "toaster", "config.toml"), err
}

func loadConfig() (*config, error) {
	path, err := configPath()
	if err != nil {
		return &config{}, nil // no home: what the environment says counts
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &config{}, nil
	}
	if err != nil {
		return nil, err
	}
	var c config
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&c); err != nil {
		var at *toml.DecodeError // its text would quote the line, which may have a token
		line := ""
		if errors.As(err, &at) {
			row, _ := at.Position()
			line = fmt.Sprintf(":%d", row)
		}
		return nil, failed(exitRefused, "Correct it, or delete it and log in again.", "%s%s can't be read", path, line)
	}
	return &c, nil
}

// save writes the file, readable by its owner alone, as a whole or not at all.
func (c *config) save() (path string, err error) {
	if path, err = configPath(); err != nil {
		return "", err
	}
	text, err := toml.Marshal(c)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	return path, writeWhole(path, text)
}

// writeWhole replaces a file, readable by its owner alone.
func writeWhole(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".toaster-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// find returns the site of that address; nil: there is none.
func (c *config) find(address string) *site {
	i := slices.IndexFunc(c.Sites, func(s site) bool { return s.URL == address })
	if i < 0 {
		return nil
	}
	return &c.Sites[i]
}

// put remembers a site, and makes it the default.
func (c *config) put(s site) {
	if old := c.find(s.URL); old != nil {
		*old = s
	} else {
		c.Sites = append(c.Sites, s)
	}
	c.Default = s.URL
}

// chosen is the site that a command speaks to.
func (w *world) chosen() (site, error) {
	c, err := loadConfig()
	if err != nil {
		return site{}, err
	}
	address := cmp.Or(w.site, os.Getenv("TOASTER_URL"), c.Default)
	if address == "" {
		return site{}, failed(exitRefused, "Run “toaster login URL” with the address of your site.", "you are not logged in")
	}
	if address, err = siteAddress(address); err != nil {
		return site{}, err
	}
	s := site{URL: address}
	if known := c.find(address); known != nil {
		s = *known
	}
	if token := os.Getenv("TOASTER_TOKEN"); token != "" {
		s.Token = strings.TrimSpace(token)
	}
	s.Key = cmp.Or(os.Getenv("TOASTER_KEY"), s.Key)
	return s, nil
}

// loggedIn is chosen, with a token.
func (w *world) loggedIn() (site, error) {
	s, err := w.chosen()
	if err == nil && s.Token == "" {
		err = failed(exitRefused, "Run “toaster login "+s.URL+"”, or set TOASTER_TOKEN.",
			"you are not logged in to %s", s.URL)
	}
	return s, err
}

// siteAddress returns an address as it is kept: with a scheme, without a slash at its end.
func siteAddress(text string) (string, error) {
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return "", misused("%q is not the address of a site: it looks like https://example.org/toaster", text)
	}
	u.Path, u.RawPath, u.RawQuery, u.Fragment = strings.TrimRight(u.Path, "/"), "", "", ""
	return u.String(), nil
}
