package main

import (
	"fmt"

	"toaster.do/lib/jobs"
	"toaster.do/lib/target"
)

// rootKey is how root gets into an image, as the command line names it.
type rootKey struct {
	RootKey string `placeholder:"FILE" help:"A file of SSH public keys for root, one per line, such as ~/.ssh/id_ed25519.pub. The root password is locked."`
}

// readKeys returns the file's text; empty: none is named.
func (k *rootKey) readKeys() (string, error) {
	if k.RootKey == "" {
		return "", nil
	}
	text, err := readBounded(k.RootKey, 64<<10)
	return string(text), err
}

// access is what a script's image is given. A password that is made is said once, here.
func (c *scriptCommand) access(w *world, t target.Target) (a target.Access, err error) {
	text, err := c.readKeys()
	if err != nil {
		return a, err
	}
	if a.Keys, err = jobs.ParseRootKeys(text); err != nil || !c.RootPassword {
		return a, err
	}
	if a.Keys != "" || !t.HasPassword() {
		return a, misused("--root-password needs a target of an SDK, and can't be used together with --root-key")
	}
	password := jobs.NewPassword()
	if a.Hash, err = jobs.HashPassword(password); err != nil {
		return a, err
	}
	return a, w.showPassword(password)
}

func (w *world) showPassword(password string) error {
	_, err := fmt.Fprintf(w.err, "Root password of this image (not shown again): %s\n", password)
	return err
}
