package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"toaster.do/conf"
	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/host"
)

type initCommand struct {
	Dir   string `placeholder:"DIR" help:"Create a site in this folder, owned by the current user."`
	Owner string `placeholder:"USER" help:"The user of the web server, who owns the database and reads the builds. Default: www-data, or with --dir the current user."`
	IDs   bool   `name:"ids" help:"As root: assign user IDs for builds in /etc/subuid and /etc/subgid, as for an installed site."`
}

func (c *initCommand) Help() string {
	return "Creates the configuration, targets.toml, the keys and the database if they are missing. " +
		"Existing files are not changed, so you can run it again at any time.\n\n" +
		"Run it as root for an installed site: it creates /etc/toaster, /var/lib/toaster for the user of the web server, " +
		"and the user toaster, who owns the builds."
}

func (c *initCommand) Run(w *world) error {
	if c.Dir != "" && w.config != "" {
		return misused("--dir can't be used together with --config: the configuration is DIR/toaster.toml")
	}
	s := setup{world: w}
	err := s.make(c)
	if errors.Is(err, fs.ErrPermission) && c.Dir+w.config+os.Getenv("TOASTER_CONF") == "" && os.Geteuid() != 0 {
		return apperr.New(apperr.PermissionDenied, "Only root can create an installed site: %s.",
			"Run “%s”, or create a site in a folder: toasterctl init --dir DIR", err.Error(), host.CommandAs(0))
	}
	if err == nil && s.made > 0 && w.terminal() != nil {
		fmt.Fprintln(w.err, "Next steps: create the first account (toasterctl user add --admin), then check the "+
			"installation (toasterctl doctor).")
	}
	if err == nil && s.made == 0 {
		_, err = fmt.Fprintln(w.out, "Everything exists already. Nothing was changed.")
	}
	return err
}

// setup makes what is missing, and says so.
type setup struct {
	*world
	made int
}

func (s *setup) make(c *initCommand) error {
	path := cmp.Or(s.config, os.Getenv("TOASTER_CONF"),
		filepath.Join(filepath.Dir(config.Default().Paths.Keys), "toaster.toml"))
	text, err := conf.Files.ReadFile("toaster.toml")
	if err != nil {
		return err
	}
	mode, keeper := fs.FileMode(0o755), host.Self()
	if c.Dir != "" {
		if keeper, err = c.owner(c.Dir); err != nil {
			return err
		}
		path, text, mode = filepath.Join(c.Dir, "toaster.toml"), within(text, keeper), 0o750
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	if err := s.folder(filepath.Dir(path), mode, keeper); err != nil {
		return err
	}
	if err := s.file(path, text); err != nil {
		return err
	}
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	return s.fill(cfg, c)
}

// fill makes what the configuration names. The database comes last, because its owner makes it.
func (s *setup) fill(cfg *config.Config, c *initCommand) error {
	data := filepath.Dir(cfg.Paths.Database)
	owner, err := c.owner(data)
	if err != nil {
		return err
	}
	targets, err := conf.Files.ReadFile("targets.toml")
	if err != nil {
		return err
	}
	if err := s.folder(filepath.Dir(cfg.Paths.Targets), 0o755, host.Self()); err != nil {
		return err
	}
	if err := s.file(cfg.Paths.Targets, targets); err != nil {
		return err
	}
	if err := s.keys(cfg.Paths.Keys, owner); err != nil {
		return err
	}
	keeper, err := s.keeper(owner, c.Dir == "")
	if err != nil {
		return err
	}
	err = cmp.Or(s.folder(data, 0o750, owner), s.folder(cfg.Paths.Contexts, 0o750, owner),
		s.folder(cfg.Paths.Builds, 0o750, keeper))
	if err != nil {
		return err
	}
	if os.Geteuid() == 0 && cfg.Engine == "local" && (c.Dir == "" || c.IDs) {
		if err := s.ids(cfg.Local.Concurrency); err != nil {
			return err
		}
	}
	return s.database(cfg.Paths.Database, owner)
}

// within makes the configuration's paths lie beside it. But root's builds don't work in a folder of another user.
func within(text []byte, owner host.Identity) []byte {
	d := config.Default().Paths
	var pairs []string
	for _, path := range []string{d.Database, d.Keys, d.Targets, d.Builds, d.Contexts} {
		pairs = append(pairs, `"`+path+`"`, `"`+filepath.Base(path)+`"`)
	}
	if owner == host.Self() {
		pairs = append(pairs, `"`+config.Default().Local.WorkDir+`"`, `"work"`)
	}
	return []byte(strings.NewReplacer(pairs...).Replace(string(text)))
}
