package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Once is a new value for a form of a user, 0 for nobody: what is sent with it is done once. It also proves for whom
// the form was shown.
func (m *Manager) Once(user int64) string {
	value := rand.Text() + "." + strconv.FormatInt(user, 36)
	return value + "." + onceMAC(m.keys[0], value)
}

// Shown tells for whom a form with this value was shown; 0: for nobody, or the value is not genuine.
func (m *Manager) Shown(once string) (user int64) {
	once, _, _ = strings.Cut(once, "~") // a script may add something, to make another value of it
	i := strings.LastIndexByte(once, '.')
	if i < 0 {
		return 0
	}
	for pair := range slices.Chunk(m.keys, 2) {
		if hmac.Equal([]byte(onceMAC(pair[0], once[:i])), []byte(once[i+1:])) {
			_, number, _ := strings.Cut(once[:i], ".")
			user, _ = strconv.ParseInt(number, 36, 64)
		}
	}
	return user
}

func onceMAC(key []byte, value string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("once:" + value))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}

// Blinded is a digest of a digest that nobody can make without the site's keys.
func (m *Manager) Blinded(digest [sha256.Size]byte) [sha256.Size]byte {
	h := hmac.New(sha256.New, m.keys[0])
	h.Write([]byte("blinded:"))
	h.Write(digest[:])
	return [sha256.Size]byte(h.Sum(nil))
}

// SealAnswer seals what was answered to a request that named itself: only who knows the name and the site's keys can
// open it.
func (m *Manager) SealAnswer(name string, answer []byte) ([]byte, error) {
	s, err := answerSeal(m.keys[:2], name)
	if err != nil {
		return nil, err
	}
	return s.Seal(nil, nil, answer, nil), nil
}

// OpenAnswer returns what SealAnswer was given.
func (m *Manager) OpenAnswer(name string, sealed []byte) ([]byte, error) {
	for pair := range slices.Chunk(m.keys, 2) {
		s, err := answerSeal(pair, name)
		if err != nil {
			return nil, err
		}
		if answer, err := s.Open(nil, nil, sealed, nil); err == nil {
			return answer, nil
		}
	}
	return nil, errors.New("no key of the site's opens an answer that was kept")
}

func answerSeal(pair [][]byte, name string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, slices.Concat(pair...), []byte(name), "toaster: answers", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
