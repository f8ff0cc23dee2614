package config

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"slices"
)

// Seals encrypt what only this site may read, by AES-256-GCM with keys that HKDF (RFC 5869) draws from each generation
// of the site's keys, the newest first. The first byte of what is sealed is the form's version.
type Seals []cipher.AEAD

const sealVersion = 1

var errSeal = errors.New("no key of this site opens it")

// Seals returns those for a purpose: none opens what another purpose's has sealed.
func (c *Config) Seals(purpose string) (Seals, error) {
	keys, err := c.KeyPairs()
	if err != nil {
		return nil, err
	}
	var all Seals
	for pair := range slices.Chunk(keys, 2) {
		key, err := hkdf.Key(sha256.New, slices.Concat(pair...), nil, purpose, 32)
		if err != nil {
			return nil, err
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
		all = append(all, aead)
	}
	return all, nil
}

// Seal encrypts a text, and binds it to what it belongs to.
func (s Seals) Seal(text, to []byte) []byte { return s[0].Seal([]byte{sealVersion}, nil, text, to) }

// Open returns what was sealed and bound so, and whether that was with the newest key.
func (s Seals) Open(sealed, to []byte) (text []byte, newest bool, err error) {
	if sealed, ok := bytes.CutPrefix(sealed, []byte{sealVersion}); ok {
		for i, key := range s {
			if text, err := key.Open(nil, nil, sealed, to); err == nil {
				return text, i == 0, nil
			}
		}
	}
	return nil, false, errSeal
}
