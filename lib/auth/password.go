package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// cost is what hashing a password takes with Argon2id (RFC 9106).
type cost struct {
	memory  uint32 // KiB
	time    uint32
	threads uint8
}

// current is OWASP's least: 19 MiB of memory, two passes, one thread (Password Storage Cheat Sheet).
var current = cost{memory: 19 << 10, time: 2, threads: 1}

const (
	saltLength = 16
	hashLength = 32
)

// HashPassword returns the PHC string of a password: "$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH". It takes some 40 ms
// and 19 MiB; the methods of Accounts bound how many run at once.
func HashPassword(password string) string {
	salt := make([]byte, saltLength)
	rand.Read(salt) // never fails (crypto/rand)
	c := current
	return encode(c, salt, c.hash(password, salt, hashLength))
}

// CheckPassword tells whether the PHC string was made from the password, and if so whether it was made with less
// cost than is taken now. An error means that the string can't be read.
func CheckPassword(phc, password string) (ok, stale bool, err error) {
	c, salt, hash, err := decode(phc)
	if err != nil {
		return false, false, err
	}
	ok = subtle.ConstantTimeCompare(hash, c.hash(password, salt, len(hash))) == 1
	return ok, ok && c != current, nil
}

func (c cost) hash(password string, salt []byte, length int) []byte {
	return argon2.IDKey([]byte(password), salt, c.time, c.memory, c.threads, uint32(length))
}

var b64 = base64.RawStdEncoding.Strict()

func encode(c cost, salt, hash []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.memory, c.time, c.threads,
		b64.EncodeToString(salt), b64.EncodeToString(hash))
}

// decode reads a PHC string (github.com/P-H-C/phc-string-format). Costs and lengths out of all proportion are refused,
// so that a damaged row can't take the server's memory.
func decode(phc string) (c cost, salt, hash []byte, err error) {
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return c, nil, nil, errors.New("the stored password is not an argon2id string")
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.memory, &c.time, &c.threads); err != nil {
		return c, nil, nil, fmt.Errorf("the stored password's parameters: %w", err)
	}
	if c.memory < 8 || c.memory > 1<<20 || c.time < 1 || c.time > 100 || c.threads < 1 {
		return c, nil, nil, fmt.Errorf("the stored password's parameters are out of bounds: %s", parts[3])
	}
	salt, err = b64.DecodeString(parts[4])
	if err != nil {
		return c, nil, nil, fmt.Errorf("the stored password's salt: %w", err)
	}
	hash, err = b64.DecodeString(parts[5])
	if err != nil {
		return c, nil, nil, fmt.Errorf("the stored password's hash: %w", err)
	}
	if len(salt) < 8 || len(salt) > 64 || len(hash) < 16 || len(hash) > 64 || encode(c, salt, hash) != phc {
		return c, nil, nil, errors.New("the stored password's salt or hash has a strange form")
	}
	return c, salt, hash, nil
}
