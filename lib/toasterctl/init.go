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
)

type initCommand struct {
	Dir   string `placeholder:"DIR" help:"Make a site that lives in this folder alone, owned by who runs this."`
	Owner string `placeholder:"USER" help:"Who the web server runs as: owns the database, and reads the builds. Default: www-data, or with --dir who runs this."`
	IDs   bool   `name:"ids" help:"As root: give builds user ids of their own in /etc/subuid and /etc/subgid, as an installed site has them always."`
}

func (c *initCommand) Help() string {
	return "Makes the configuration, targets.toml, the keys, and the database: each where it is missing. " +
		"What is there stays as it is, so that it may be run again at any time.\n\n" +
		"An installed site is made by root: /etc/toaster, and /var/lib/toaster for the web server's user; " +
		"the builds there belong to the user toaster, which is made."
}

func (c *initCommand) Run(w *world) error {
	if c.Dir != "" && w.config != "" {
		return misused("--dir and --config say two things: the configuration of --dir DIR is DIR/toaster.toml")
	}
	s := setup{world: w}
	err := s.make(c)
	if errors.Is(err, fs.ErrPermission) && c.Dir+w.config+os.Getenv("TOASTER_CONF") == "" && os.Geteuid() != 0 {
		return apperr.New(apperr.PermissionDenied, "An installed site is made by root: "+err.Error()+".",
			"Run “"+commandAs(0)+"”, or make a site of your own: toasterctl init --dir DIR")
	}
	if err == nil && s.made > 0 && w.terminal() != nil {
		fmt.Fprintln(w.err, "Next: the first account (toasterctl user add --admin), then a look at everything (toasterctl doctor).")
	}
	if err == nil && s.made == 0 {
		_, err = fmt.Fprintln(w.out, "Everything is there already: nothing was changed.")
	}
	return err
}

// setup makes what is missing, and says so.
type setup struct {
	*world
	made int
}

func (s *setup) make(c *initCommand) error {
	path := cmp.Or(s.config, os.Getenv("TOASTER_CONF"), filepath.Join(filepath.Dir(config.Default().Paths.Keys), "toaster.toml"))
	text, err := conf.Files.ReadFile("toaster.toml")
	if err != nil {
		return err
	}
	mode, keeper := fs.FileMode(0o755), self()
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
	if err := s.folder(filepath.Dir(cfg.Paths.Targets), 0o755, self()); err != nil {
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
	if err := cmp.Or(s.folder(data, 0o750, owner), s.folder(cfg.Paths.Builds, 0o750, keeper)); err != nil {
		return err
	}
	if os.Geteuid() == 0 && cfg.Engine == "local" && (c.Dir == "" || c.IDs) {
		if err := s.ids(cfg.Local.Slots); err != nil {
			return err
		}
	}
	return s.database(cfg.Paths.Database, owner)
}

// within makes the configuration's paths lie beside it. But root's builds don't work in a folder of another user.
func within(text []byte, owner identity) []byte {
	d := config.Default().Paths
	var pairs []string
	for _, path := range []string{d.Database, d.Keys, d.Targets, d.Builds} {
		pairs = append(pairs, `"`+path+`"`, `"`+filepath.Base(path)+`"`)
	}
	if owner == self() {
		pairs = append(pairs, `"`+config.Default().Local.WorkDir+`"`, `"work"`)
	}
	return []byte(strings.NewReplacer(pairs...).Replace(string(text)))
}
