package jobs

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"strings"

	"github.com/GehirnInc/crypt/sha512_crypt"

	"toaster.do/lib/apperr"
	"toaster.do/lib/i18n"
	"toaster.do/lib/printable"
	"toaster.do/lib/store"
	"toaster.do/lib/target"
)

// keyParts are the kinds of public keys that OpenSSH takes today, and of how many parts each consists (RFC 4253, 6.6;
// RFC 5656, 3.1; RFC 8709, 4; OpenSSH's PROTOCOL.u2f).
var keyParts = map[string]int{
	"ssh-ed25519": 2, "ssh-rsa": 3,
	"ecdsa-sha2-nistp256": 3, "ecdsa-sha2-nistp384": 3, "ecdsa-sha2-nistp521": 3,
	"sk-ssh-ed25519@openssh.com": 3, "sk-ecdsa-sha2-nistp256@openssh.com": 4,
}

// mostKeys bounds what is stored of them, in bytes.
const mostKeys = 16 << 10

// ParseRootKeys reads root's SSH keys, "TYPE BASE64 COMMENT" a line, as ssh-keygen writes them into files that end in
// .pub, and returns them
// as lines of authorized_keys. Empty lines and those that begin with # are left out. Options before the type are
// refused, and so is what is not a public key: a *Rejected of the field root_keys.
func ParseRootKeys(text string) (string, error) {
	if strings.Contains(text, "PRIVATE KEY") {
		return "", refuse(apperr.InvalidArgument, "root_keys", "This is a private key. Keep it secret.",
			"Paste the public key: the file with the same name that ends in .pub.")
	}
	var keys strings.Builder
	for i, line := range itemLines(text) {
		line = strings.TrimRightFunc(line, blank)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if !isKey(line) {
			return "", refuse(apperr.InvalidArgument, "root_keys", "Line %d of the SSH keys is not a public key.",
				"Paste the whole line of a .pub file. It begins with ssh-ed25519, ssh-rsa, ecdsa-sha2-nistp256 or a similar word.",
				i+1)
		}
		keys.WriteString(line + "\n")
	}
	if keys.Len() > mostKeys {
		return "", refuse(apperr.TooLarge, "root_keys", "The SSH keys have %d bytes. The limit is %d.",
			"Omit files that are not needed.", keys.Len(), mostKeys)
	}
	return keys.String(), nil
}

func isKey(line string) bool {
	kind, rest, _ := strings.Cut(line, " ")
	text, comment, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	if !printable.Is(comment) {
		return false
	}
	blob, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return false
	}
	var parts []string
	for len(blob) >= 4 {
		n := binary.BigEndian.Uint32(blob)
		if n == 0 || uint64(n) > uint64(len(blob)-4) {
			return false
		}
		parts = append(parts, string(blob[4:4+n]))
		blob = blob[4+n:]
	}
	return len(blob) == 0 && len(parts) > 0 && parts[0] == kind && len(parts) == keyParts[kind]
}

// RootPassword makes a password for root where the images of a submission would have neither that nor a key, or where
// another is wanted:
// 20 letters and digits, 99 bits. Who sends it on in Submission.RootPassword has to show it to the person: toaster
// keeps its hash alone. Of a changed job, old is the earlier revision; of a new one nil. Empty: none is needed.
func (s *Service) RootPassword(sub Submission, old *store.Revision, another bool) string {
	target, err := s.Target(sub.Target)
	keys, bad := ParseRootKeys(sub.RootKeys)
	switch {
	case err != nil || bad != nil || keys != "" || !target.HasPassword():
		return ""
	case old != nil && old.Root.Password != "" && !another:
		return ""
	}
	return NewPassword()
}

// NewPassword makes a password that can be read aloud and typed: 20 of 31 letters and digits.
func NewPassword() string {
	const letters = "abcdefghjkmnpqrstuvwxyz23456789"
	var word strings.Builder
	for random := make([]byte, 1); word.Len() < 20; {
		rand.Read(random) // it never fails
		if n := int(random[0] & 31); n < len(letters) {
			word.WriteByte(letters[n])
		}
	}
	return word.String()
}

// HashPassword returns what /etc/shadow has of a password: SHA-512 of crypt(5), with a salt of its own.
func HashPassword(password string) (string, error) {
	return sha512_crypt.New().Generate([]byte(password), nil)
}

// rootAccess is what is stored of a submission's keys and password.
func rootAccess(sub Submission, t target.Target) (root store.Root, err error) {
	if root.Keys, err = ParseRootKeys(sub.RootKeys); err != nil || root.Keys != "" || sub.RootPassword == "" ||
		!t.HasPassword() {
		return root, err
	}
	root.Password, err = HashPassword(sub.RootPassword)
	return root, err
}

func accessOf(root store.Root) target.Access {
	return target.Access{Keys: root.Keys, Hash: root.Password}
}

// Login says how a person becomes root in the image of a build; empty for one that nobody logs in to.
func (s *Service) Login(ctx context.Context, owner int64, job *store.Job, revision int) (i18n.Key, error) {
	target, err := s.Target(job.Target)
	if err != nil {
		return "", nil // it is not offered any more
	}
	root, err := s.Store.Root(ctx, owner, job.ID, revision)
	return target.Login(accessOf(root)), err
}
