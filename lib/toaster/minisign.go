package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"strings"

	"golang.org/x/crypto/blake2b"
)

// publicKey is a minisign public key: https://jedisct1.github.io/minisign/#signature-format
type publicKey struct {
	id  [8]byte
	key ed25519.PublicKey
}

var errKey = errors.New("not a minisign public key")

// parseKey reads the second line of a .pub file.
func parseKey(text string) (k publicKey, err error) {
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(b) != 2+8+ed25519.PublicKeySize || string(b[:2]) != "Ed" {
		return k, errKey
	}
	copy(k.id[:], b[2:])
	k.key = b[10:]
	return k, nil
}

// verify tells whether a signature, the text of a .minisig file, is that of a message, and returns its trusted comment.
func (k publicKey) verify(message, signature []byte) (comment string, err error) {
	lines := strings.Split(strings.ReplaceAll(string(signature), "\r\n", "\n"), "\n")
	if len(lines) < 4 {
		return "", errors.New("not a minisign signature")
	}
	comment, ok := strings.CutPrefix(lines[2], "trusted comment: ")
	sig, err := base64.StdEncoding.DecodeString(lines[1])
	global, err2 := base64.StdEncoding.DecodeString(lines[3])
	if err := errors.Join(err, err2); err != nil || !ok || len(sig) != 2+8+64 || len(global) != 64 {
		return "", errors.New("not a minisign signature")
	}
	if !bytes.Equal(sig[2:10], k.id[:]) {
		return "", errors.New("it is the signature of another key")
	}
	switch string(sig[:2]) {
	case "Ed":
	case "ED":
		sum := blake2b.Sum512(message)
		message = sum[:]
	default:
		return "", errors.New("the signature has an unknown algorithm")
	}
	if !ed25519.Verify(k.key, message, sig[10:]) ||
		!ed25519.Verify(k.key, append(sig[10:], comment...), global) {
		return "", errors.New("the signature is wrong")
	}
	return comment, nil
}
