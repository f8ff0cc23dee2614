package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"

	"toaster.do/lib/app"
	"toaster.do/lib/apperr"
	"toaster.do/lib/auth"
	"toaster.do/lib/config"
	"toaster.do/lib/engine/local"
	"toaster.do/lib/hooks"
	"toaster.do/lib/store"
)

type keysCommand struct {
	Keep int `default:"2" placeholder:"N" help:"How many generations of keys stay valid, including the new one. 1 ends all sessions: use it if somebody else has seen the keys."`
}

func (keysCommand) Help() string {
	return "Creates new keys for session cookies, and encrypts the two-factor authentication secrets, the secrets of " +
		"hooks and the keys of Git repositories with them. Run it as root on an installed site."
}

// Run keeps the old keys until nothing needs them: whenever it is stopped, nothing is lost.
func (c *keysCommand) Run(w *world) error {
	if c.Keep < 1 {
		return misused("--keep must be 1 or more")
	}
	cfg, err := w.load()
	if err != nil {
		return err
	}
	if err := actAsOwner(cfg.Paths.Database); err != nil {
		return err
	}
	change := func(how func(path string, keep int) error, keep int) error {
		err := local.AsRoot(func() error { return how(cfg.Paths.Keys, keep) })
		if errors.Is(err, fs.ErrPermission) {
			return notYours(cfg.Paths.Keys)
		}
		return err
	}
	if err := change(config.AddKeys, math.MaxInt); err != nil {
		return err
	}
	n, err := sealFactors(w, cfg)
	if err != nil {
		return err
	}
	if err := change(config.DropKeys, c.Keep); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.out, "%s has new keys; %s encrypted with them.\n", cfg.Paths.Keys, wereDone(n.Stale))
	return err
}

func wereDone(n int) string {
	if n == 1 {
		return "1 two-factor secret was"
	}
	return fmt.Sprintf("%d two-factor secrets were", n)
}

// sealFactors seals second factors, and the secrets of hooks and repositories, with the newest keys, and warns of those
// that can't be opened any more.
func sealFactors(w *world, cfg *config.Config) (n auth.Sealing, err error) {
	db, err := store.Open(w.ctx, cfg.Paths.Database)
	if err != nil {
		return n, err
	}
	defer db.Close()
	if err := w.sealGitSecrets(cfg, db); err != nil {
		return n, err
	}
	if err := w.sealHooks(cfg, db); err != nil {
		return n, err
	}
	n, err = auth.New(cfg, db).SealFactors(w.ctx)
	if err == nil && n.Lost > 0 {
		_, err = fmt.Fprintln(w.err, lost(n))
	}
	return n, err
}

// sealGitSecrets does so with the keys and tokens of repositories.
func (w *world) sealGitSecrets(cfg *config.Config, db *store.DB) error {
	_, lost, err := app.SealGitSecrets(w.ctx, cfg, db)
	if err == nil && lost > 0 {
		_, err = fmt.Fprintf(w.err, "%s can't be decrypted with these keys: restore the correct keys, or enter them again "+
			"in their jobs.\n", count(lost, "key or token of a repository"))
	}
	return err
}

// sealHooks does so with the secrets of hooks.
func (w *world) sealHooks(cfg *config.Config, db *store.DB) error {
	lost, err := hooks.Reseal(w.ctx, cfg, db)
	if err == nil && lost > 0 {
		_, err = fmt.Fprintf(w.err, "%s can't be decrypted with these keys: restore the correct keys, or renew the secrets "+
			"on the pages of the hooks.\n", count(lost, "hook secret"))
	}
	return err
}

func lost(n auth.Sealing) string {
	return count(n.Lost, "two-factor secret") + " can't be decrypted with these keys: restore the correct keys, or run " +
		"toasterctl user factor --off EMAIL."
}

// sealingDue is a FailedPrecondition where “toasterctl migrate” would seal second factors.
func sealingDue(w *world, cfg *config.Config) error {
	db, err := store.Open(w.ctx, cfg.Paths.Database)
	if err != nil {
		return err
	}
	defer db.Close()
	n, err := auth.New(cfg, db).Sealing(w.ctx)
	if err == nil && n.Stale > 0 {
		err = apperr.New(apperr.FailedPrecondition, "%s not encrypted with the newest keys.",
			"Run “toasterctl migrate”.", count(n.Stale, "two-factor secret"))
	}
	return err
}
