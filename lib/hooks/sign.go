// Package hooks tells others how builds ended, and lets others start some: by Standard Webhooks
// (https://www.standardwebhooks.com), and in the other way as GitHub, GitLab and Gitea call, too.
package hooks

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"strconv"
	"strings"
	"time"
)

// Headers of Standard Webhooks.
const (
	idHeader        = "Webhook-Id"
	timestampHeader = "Webhook-Timestamp"
	signatureHeader = "Webhook-Signature"
)

// secretPrefix begins a secret: what follows is base64.
const secretPrefix = "whsec_"

// Seals is for what encrypts the secrets of hooks: see config.Seals.
const Seals = "toaster: secrets of hooks"

// Bound is what the secret of a job's hook is sealed to; start is of the one that starts builds.
func Bound(job string, start bool) []byte {
	if start {
		return []byte("start hook of " + job)
	}
	return []byte("hook of " + job)
}

// NewSecret returns a secret of 192 random bits: letters and digits only, so that it fits into an address, too.
func NewSecret() string {
	for {
		var b [24]byte
		rand.Read(b[:])
		if text := base64.StdEncoding.EncodeToString(b[:]); !strings.ContainsAny(text, "+/") {
			return secretPrefix + text
		}
	}
}

// Sign returns the signature of a message: id is its webhook-id, at its webhook-timestamp.
func Sign(secret, id string, at time.Time, body []byte) string {
	h := hmac.New(sha256.New, keyOf(secret))
	io.WriteString(h, signedBefore(id, at))
	h.Write(body)
	return signature(h.Sum(nil))
}

// signedBefore is what is signed before the body.
func signedBefore(id string, at time.Time) string {
	return id + "." + strconv.FormatInt(at.Unix(), 10) + "."
}

func signature(sum []byte) string { return "v1," + base64.StdEncoding.EncodeToString(sum) }

// keyOf is what a secret says in base64; nil: it isn't one.
func keyOf(secret string) []byte {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	if err != nil {
		return nil
	}
	return key
}
