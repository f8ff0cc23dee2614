package main

import (
	"cmp"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"toaster.do/lib/apperr"
)

// identity is a user of this host.
type identity struct{ uid, gid int }

func self() identity { return identity{os.Geteuid(), os.Getegid()} }

// owner returns who the site's data belong to: who --owner names, or has them already, or else the web
// server's user, and in a folder of one's own oneself.
func (c *initCommand) owner(data string) (identity, error) {
	fi, err := os.Stat(data)
	switch {
	case c.Owner == "" && err == nil:
		st := fi.Sys().(*syscall.Stat_t)
		return identity{int(st.Uid), int(st.Gid)}, nil
	case c.Owner == "" && (c.Dir != "" || os.Geteuid() != 0):
		return self(), nil
	}
	a, lookup := lookUp(cmp.Or(c.Owner, "www-data"))
	if lookup != nil && c.Owner == "" {
		return a, apperr.New(apperr.InvalidArgument, "There is no user www-data on this host.", "Specify the user of the web server: toasterctl init --owner USER")
	}
	if lookup != nil {
		return a, lookup
	}
	if err == nil && owner(fi) != a.uid {
		return a, apperr.New(apperr.FailedPrecondition, "%s already belongs to %s.",
			"Omit --owner, or change the owner of the folder first: chown -R %s: %s", data, userName(owner(fi)), shellWord(c.Owner), shellWord(data))
	}
	return a, nil
}

func lookUp(name string) (a identity, err error) {
	u, err := user.Lookup(name)
	if err != nil {
		return a, err
	}
	if a.uid, err = strconv.Atoi(u.Uid); err != nil {
		return a, err
	}
	a.gid, err = strconv.Atoi(u.Gid)
	return a, err
}

// become makes root another user for good.
func become(a identity) error {
	if os.Geteuid() != 0 || a.uid == 0 {
		return nil
	}
	if err := syscall.Setgroups([]int{a.gid}); err != nil {
		return err
	}
	if err := syscall.Setgid(a.gid); err != nil {
		return err
	}
	return syscall.Setuid(a.uid)
}
