package target

import (
	"encoding/base64"
	"fmt"
	"strings"

	"toaster.do/lib/i18n"
)

// Access is how root gets into an image. The zero Access is none: the password is locked, unless the Dockerfile sets
// one.
type Access struct {
	Keys string // lines of /root/.ssh/authorized_keys, each with a newline; with keys the password is locked
	Hash string // of root's password, as in /etc/shadow: SHA-512 of crypt(5)
}

// check sees that nothing but root's password can be set by it.
func (a Access) check() error {
	switch {
	case a.Hash != "" && (!strings.HasPrefix(a.Hash, "$6$") || !isWord(a.Hash, "$./")):
		return fmt.Errorf("the hash of root's password is none of crypt(5)'s SHA-512")
	case a.Hash != "" && a.Keys != "":
		return fmt.Errorf("root has keys, and a password all the same")
	}
	return nil
}

// encoded are the keys as the script carries them: they are people's text.
func (a Access) encoded() string { return base64.StdEncoding.EncodeToString([]byte(a.Keys)) }

// HasPassword tells whether images of this target can have a password of root. A rootfs has none: who starts it is root
// already.
func (t Target) HasPassword() bool { return t.SDK != "rootfs" }

// Login says how a person becomes root in an image that was made with this access; empty where a rootfs has no key.
func (t Target) Login(a Access) i18n.Key {
	switch {
	case a.Keys != "":
		return "Use the SSH key of the job, if the image has an SSH server. The password is locked, unless the Dockerfile " +
			"sets one."
	case !t.HasPassword():
		return ""
	case a.Hash != "":
		return "Use the password that was shown once, when this revision of the job was saved. If you lost it, edit the " +
			"job to generate a new one. The Dockerfile can set another password."
	}
	return "The root password is locked, unless the Dockerfile sets one. Edit the job to add an SSH key or a password."
}
