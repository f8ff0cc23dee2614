package config

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"toaster.do/lib/apperr"
)

// Lengths of keys in bytes: HMAC-SHA-256's block size, and AES-256's key.
const (
	hashKey  = 64
	blockKey = 32
)

const keysHead = `# Secret keys of toaster, newest first. One generation per line: a hash key and a block key, in base64.
# Session cookies, two-factor secrets and the secrets of builds are encrypted with the first line and decrypted with all. Anyone who can read this file can forge sessions.
`

// KeyPairs reads the site's keys from Paths.Keys: a hash key of 64 bytes, a block key of 32, and so on, newest
// first. A file that is missing or won't do is a fault of kind Unavailable.
func (c *Config) KeyPairs() ([][]byte, error) {
	keys, err := readKeys(c.Paths.Keys)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, apperr.Wrap(apperr.Unavailable, err, "This site is not set up yet.",
			"Administrator: run “toasterctl init”.")
	}
	if err != nil {
		return nil, apperr.Wrap(apperr.Unavailable, err, "This site's keys can't be used.", "Administrator: see the log.")
	}
	return keys, nil
}

// MACs signs a text that begins with its purpose, for an address that nobody can guess: 24 characters of base64url for
// each of the site's keys, the newest first. An address outlives a change of keys.
func (c *Config) MACs(text string) (macs []string, err error) {
	keys, err := c.KeyPairs()
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(keys); i += 2 {
		h := hmac.New(sha256.New, keys[i])
		h.Write([]byte(text))
		macs = append(macs, base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18]))
	}
	return macs, nil
}

// readSecret reads a file that not everybody may read.
func readSecret(path string) ([]byte, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if fi.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("%s is readable by everybody (%v): chmod 0640 it", path, fi.Mode().Perm())
	}
	return os.ReadFile(path)
}

func readKeys(path string) ([][]byte, error) {
	data, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	var keys [][]byte
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		pair, err := parsePair(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
		keys = append(keys, pair...)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s has no keys", path)
	}
	return keys, nil
}

// parsePair reads a line. Its errors never quote it: they go to the log.
func parsePair(line string) ([][]byte, error) {
	words := strings.Fields(line)
	if len(words) != 2 {
		return nil, errors.New("wanted a hash key and a block key")
	}
	pair := make([][]byte, 2)
	for i, length := range []int{hashKey, blockKey} {
		key, err := base64.StdEncoding.DecodeString(words[i])
		if err != nil || len(key) != length {
			return nil, fmt.Errorf("key %d is not %d bytes in base64", i+1, length)
		}
		pair[i] = key
	}
	return pair, nil
}

// NewKeys makes the file, mode 0640, with one generation of random keys. A file that is there is left alone:
// fs.ErrExist.
func NewKeys(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	_, err = f.WriteString(keysHead + newPair() + "\n")
	return errors.Join(err, f.Chmod(0o640), f.Sync(), f.Close())
}

// AddKeys puts a new generation in front, which cookies are made with from now on, and keeps the newest keep
// generations in all, at least 1. Cookies made with one that went are no longer accepted.
func AddKeys(path string, keep int) error {
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	old, err := readKeys(path)
	if err != nil {
		return err
	}
	return replace(path, append([]byte(keysHead+newPair()+"\n"), generations(old, keep-1)...), fi)
}

// DropKeys keeps the newest keep generations, at least 1. What was made with others is no longer accepted.
func DropKeys(path string, keep int) error {
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	keys, err := readKeys(path)
	if err != nil {
		return err
	}
	return replace(path, append([]byte(keysHead), generations(keys, max(1, keep))...), fi)
}

// generations writes the newest of some keys, a generation a line.
func generations(keys [][]byte, keep int) []byte {
	var b bytes.Buffer
	for i := 0; i < len(keys) && i/2 < keep; i += 2 {
		b.WriteString(encodePair(keys[i], keys[i+1]) + "\n")
	}
	return b.Bytes()
}

// replace writes a file anew, whole or not at all, with the mode and the owners it had.
func replace(path string, data []byte, was fs.FileInfo) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".keys-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	st := was.Sys().(*syscall.Stat_t)
	err = errors.Join(err, f.Chown(int(st.Uid), int(st.Gid)), f.Chmod(was.Mode().Perm()), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func newPair() string {
	keys := make([]byte, hashKey+blockKey)
	rand.Read(keys) // never fails (crypto/rand)
	return encodePair(keys[:hashKey], keys[hashKey:])
}

func encodePair(hash, block []byte) string {
	return base64.StdEncoding.EncodeToString(hash) + " " + base64.StdEncoding.EncodeToString(block)
}
