package hooks

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"toaster.do/lib/i18n"
)

// MostBody is how much a call that starts a build may have, bytes.
const MostBody = 1 << 20

// tolerance is how old, or how far ahead, a signed time may be (Standard Webhooks).
const tolerance = 5 * time.Minute

// Genuine tells whether the sender of a call knows the secret: it is in the address, or in Authorization or
// X-Gitlab-Token, or it has signed the body as GitHub, Gitea, Forgejo or Standard Webhooks do.
func Genuine(secret, inAddress string, h http.Header, body []byte, now time.Time) bool {
	bearer, _ := cutScheme(h.Get("Authorization"))
	good := same(inAddress, secret) | same(bearer, secret) | same(h.Get("X-Gitlab-Token"), secret)
	sum := hex.EncodeToString(mac([]byte(secret), body))
	good |= same(h.Get("X-Hub-Signature-256"), "sha256="+sum)
	for _, name := range []string{"X-Gitea-Signature", "X-Forgejo-Signature", "X-Gogs-Signature"} {
		good |= same(h.Get(name), sum)
	}
	return good|signed(secret, h, body, now) == 1 && secret != ""
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

// signed is 1 where one of the signatures of Standard Webhooks is right, and its time is about now.
func signed(secret string, h http.Header, body []byte, now time.Time) (good int) {
	key, id := keyOf(secret), h.Get(idHeader)
	seconds, err := strconv.ParseInt(h.Get(timestampHeader), 10, 64)
	if err != nil || key == nil || id == "" || now.Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return 0
	}
	want := Sign(secret, id, time.Unix(seconds, 0), body)
	for one := range strings.FieldsSeq(h.Get(signatureHeader)) {
		good |= same(one, want)
	}
	return good
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

// ReadCall reads a call: of GitHub, Gitea and Forgejo, or GitLab a push, of others anything is a reason to build.
func ReadCall(h http.Header, body []byte) (c Call) {
	var payload struct {
		Ref     any `json:"ref"`
		After   any `json:"after"`
		Deleted any `json:"deleted"`
		Type    any `json:"type"`

		Repository, Project struct { // of GitHub and Gitea; of GitLab
			Default any `json:"default_branch"`
		}
	}
	_ = json.Unmarshal(jsonOf(h, body), &payload) // a plain call may have any body
	c.Ref, _ = payload.Ref.(string)
	if c.Default, _ = payload.Repository.Default.(string); c.Default == "" {
		c.Default, _ = payload.Project.Default.(string)
	}
	after, _ := payload.After.(string)
	kind, _ := payload.Type.(string)
	event := h.Get("X-GitHub-Event") // Gitea and Forgejo send it, too
	for _, name := range []string{"X-Gitea-Event", "X-Forgejo-Event", "X-Gogs-Event", "X-Gitlab-Event"} {
		if event == "" {
			event = h.Get(name)
		}
	}
	switch {
	case event == "ping", kind == TestEvent && h.Get(idHeader) != "":
		c.Ignored = isTest
	case event != "" && event != "push" && event != "Push Hook" && event != "Tag Push Hook":
		c.Ignored = noPush
	case payload.Deleted == true, after != "" && strings.Trim(after, "0") == "":
		c.Ignored = isDelete
	case event == "" && (kind == "build.failed" || kind == "build.aborted" || kind == "build.lost"):
		c.Ignored = notGood
	}
	return c
}

// jsonOf is the JSON of a body: GitHub may send it in a form.
func jsonOf(h http.Header, body []byte) []byte {
	if kind, _, _ := mime.ParseMediaType(h.Get("Content-Type")); kind != "application/x-www-form-urlencoded" {
		return body
	}
	values, _ := url.ParseQuery(string(body))
	return []byte(values.Get("payload"))
}
