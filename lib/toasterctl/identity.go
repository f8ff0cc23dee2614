package main

import (
	"cmp"
	"os"
	"syscall"

	"toaster.do/lib/apperr"
	"toaster.do/lib/host"
	"toaster.do/lib/shell"
)

// owner returns who the site's data belong to: who --owner names, or has them already, or else the web
// server's user, and in a folder of one's own oneself.
func (c *initCommand) owner(data string) (host.Identity, error) {
	fi, err := os.Stat(data)
	switch {
	case c.Owner == "" && err == nil:
		st := fi.Sys().(*syscall.Stat_t)
		return host.Identity{UID: int(st.Uid), GID: int(st.Gid)}, nil
	case c.Owner == "" && (c.Dir != "" || os.Geteuid() != 0):
		return host.Self(), nil
	}
	a, lookup := host.LookUp(cmp.Or(c.Owner, "www-data"))
	if lookup != nil && c.Owner == "" {
		return a, apperr.New(apperr.InvalidArgument, "There is no user www-data on this host.",
			"Specify the user of the web server: toasterctl init --owner USER")
	}
	if lookup != nil {
		return a, lookup
	}
	if err == nil && host.Owner(fi) != a.UID {
		return a, apperr.New(apperr.FailedPrecondition, "%s already belongs to %s.",
			"Omit --owner, or change the owner of the folder first: chown -R %s: %s", data, host.UserName(host.Owner(fi)),
			shell.Quote(c.Owner), shell.Quote(data))
	}
	return a, nil
}

// become makes root another user for good.
func become(a host.Identity) error {
	if os.Geteuid() != 0 || a.UID == 0 {
		return nil
	}
	if err := syscall.Setgroups([]int{a.GID}); err != nil {
		return err
	}
	if err := syscall.Setgid(a.GID); err != nil {
		return err
	}
	return syscall.Setuid(a.UID)
}
