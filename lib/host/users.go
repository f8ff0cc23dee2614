package host

import (
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"toaster.do/lib/shell"
)

// Identity is a user of this host, and their group.
type Identity struct{ UID, GID int }

// Self is who this process acts as.
func Self() Identity { return Identity{os.Geteuid(), os.Getegid()} }

// LookUp finds a user by name.
func LookUp(name string) (a Identity, err error) {
	u, err := user.Lookup(name)
	if err != nil {
		return a, err
	}
	if a.UID, err = strconv.Atoi(u.Uid); err != nil {
		return a, err
	}
	a.GID, err = strconv.Atoi(u.Gid)
	return a, err
}

// Owner returns whose a file is.
func Owner(fi fs.FileInfo) int { return int(fi.Sys().(*syscall.Stat_t).Uid) }

// UserName returns the name of a user, or words for one that has none.
func UserName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return "uid " + strconv.Itoa(uid)
}

// CommandAs returns this very command line as another user would run it. Root may lack sudo, but has runuser.
func CommandAs(uid int) string {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	words := []string{"sudo", "-u", UserName(uid)}
	u, err := user.LookupId(strconv.Itoa(uid))
	switch {
	case err != nil:
		words = []string{"sudo", "-u", "#" + strconv.Itoa(uid)}
	case os.Geteuid() == 0:
		words = []string{"runuser", "-u", u.Username, "--"}
	case uid == 0:
		words = []string{"sudo"}
	}
	if conf := os.Getenv("TOASTER_CONF"); conf != "" {
		words = append(words, "env", "TOASTER_CONF="+conf) // sudo keeps no such variable
	}
	words = append(append(words, self), os.Args[1:]...)
	for i, word := range words {
		words[i] = shell.Quote(word)
	}
	return strings.Join(words, " ")
}

// Exists tells whether there is something at a path.
func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
