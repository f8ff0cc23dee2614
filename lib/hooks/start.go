package hooks

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"toaster.do/lib/i18n"
)

// MostBody is how much a call that starts a build may have, bytes: as much as GitHub sends.
const MostBody = 25 << 20

// tolerance is how old, or how far ahead, a signed time may be (Standard Webhooks).
const tolerance = 5 * time.Minute

// Read reads a call as it comes, of which it keeps little, and tells whether it is genuine: whether its sender knows the
// secret. That is in the address, or in Authorization or X-Gitlab-Token, or it has signed the body as GitHub, Gitea,
// Forgejo or Standard Webhooks do. A body of more than MostBody is an *http.MaxBytesError.
func Read(secret, inAddress string, h http.Header, body io.Reader, now time.Time) (c Call, genuine bool, err error) {
	p := newProof(secret, h, now)
	all := io.TeeReader(http.MaxBytesReader(nil, io.NopCloser(body), MostBody), p)
	found := readPayload(h, all)
	if _, err := io.Copy(io.Discard, all); err != nil { // what was not looked at is signed, too
		return Call{}, false, err
	}
	bearer, _ := cutScheme(h.Get("Authorization"))
	good := same(inAddress, secret) | same(bearer, secret) | same(h.Get("X-Gitlab-Token"), secret) | p.good(h)
	return callOf(h, found), good == 1 && secret != "", nil
}

// proof is what the signatures of a body must be, which is written to it.
type proof struct {
	plain    hash.Hash // as GitHub, Gitea and Forgejo sign
	standard hash.Hash // as Standard Webhooks does; nil: this is no such call, or its time is not about now
}

func newProof(secret string, h http.Header, now time.Time) proof {
	p := proof{plain: hmac.New(sha256.New, []byte(secret))}
	key, id := keyOf(secret), h.Get(idHeader)
	seconds, err := strconv.ParseInt(h.Get(timestampHeader), 10, 64)
	if err == nil && key != nil && id != "" && now.Sub(time.Unix(seconds, 0)).Abs() <= tolerance {
		p.standard = hmac.New(sha256.New, key)
		io.WriteString(p.standard, signedBefore(id, time.Unix(seconds, 0)))
	}
	return p
}

// Write implements io.Writer.
func (p proof) Write(b []byte) (n int, err error) {
	if p.standard != nil {
		p.standard.Write(b)
	}
	return p.plain.Write(b)
}

// good is 1 where one of the signatures is right.
func (p proof) good(h http.Header) (good int) {
	sum := hex.EncodeToString(p.plain.Sum(nil))
	good |= same(h.Get("X-Hub-Signature-256"), "sha256="+sum)
	for _, name := range []string{"X-Gitea-Signature", "X-Forgejo-Signature", "X-Gogs-Signature"} {
		good |= same(h.Get(name), sum)
	}
	if p.standard == nil {
		return good
	}
	want := signature(p.standard.Sum(nil))
	for one := range strings.FieldsSeq(h.Get(signatureHeader)) {
		good |= same(one, want)
	}
	return good
}

// same is 1 where two texts are, and takes as long where they are not.
func same(a, b string) int {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}

func cutScheme(authorization string) (token string, ok bool) {
	scheme, token, ok := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimSpace(token), ok
}

// Call is what a call that may start a build says.
type Call struct {
	Ref     string   // "refs/heads/main"; empty: it names none
	Default string   // the repository's default branch, "main"; empty: it names none
	Ignored i18n.Key // why it is no reason to build; empty: it is one
}

// Why calls are ignored.
const (
	isTest   i18n.Key = "This is a test of the connection. No build was started."
	noPush   i18n.Key = "Only pushes start builds. No build was started."
	isDelete i18n.Key = "The branch or tag was deleted. No build was started."
	notGood  i18n.Key = "Another build did not succeed. No build was started."
)

// callOf is a call of GitHub, Gitea and Forgejo, or GitLab, where a push is a reason to build; of others, anything is.
func callOf(h http.Header, p payload) Call {
	c := Call{Ref: p.ref, Default: cmp.Or(p.repository, p.project)}
	event := h.Get("X-GitHub-Event") // Gitea and Forgejo send it, too
	for _, name := range []string{"X-Gitea-Event", "X-Forgejo-Event", "X-Gogs-Event", "X-Gitlab-Event"} {
		event = cmp.Or(event, h.Get(name))
	}
	switch {
	case event == "ping", p.kind == TestEvent && h.Get(idHeader) != "":
		c.Ignored = isTest
	case event != "" && event != "push" && event != "Push Hook" && event != "Tag Push Hook":
		c.Ignored = noPush
	case p.deleted, p.after != "" && strings.Trim(p.after, "0") == "":
		c.Ignored = isDelete
	case event == "" && (p.kind == "build.failed" || p.kind == "build.aborted" || p.kind == "build.lost"):
		c.Ignored = notGood
	}
	return c
}
