package target

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// Access is how root gets into an image. The zero Access is none: the password is locked, unless the Dockerfile sets one.
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

// HasPassword tells whether images of this target can have a password of root. A rootfs has none: who starts it is root already.
func (t Target) HasPassword() bool { return t.SDK != "rootfs" }

// Login says how a person becomes root in an image that was made with this access; empty where a rootfs has no key.
func (t Target) Login(a Access) string {
	switch {
	case a.Keys != "":
		return "With the SSH key that was given with the job, if an SSH server is in the image: the password is locked, unless the Dockerfile sets one."
	case !t.HasPassword():
		return ""
	case a.Hash != "":
		return "With the password that was shown once, when this revision of the job was stored. If it is lost, change the job: a new one is made there. A Dockerfile can set another."
	}
	return "Root's password is locked, unless the Dockerfile sets one. Change the job: there it can get an SSH key or a password."
}
