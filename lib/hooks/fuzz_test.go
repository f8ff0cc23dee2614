package hooks

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// FuzzReadCall: whatever a body and its headers are, reading them ends, and nobody gets in who doesn't know the secret.
func FuzzReadCall(f *testing.F) {
	f.Add("push", "application/json", `{"ref":"refs/heads/main","after":"00"}`, "sha256=00", "v1,AAAA")
	f.Add("ping", "application/x-www-form-urlencoded", "payload=%7B%7D", "", "")
	f.Add("", "text/plain", `{"type":"build.lost","ref":1}`, "Bearer x", "1")
	secret := NewSecret()
	now := time.Unix(1_800_000_000, 0)
	f.Fuzz(func(t *testing.T, event, kind, body, proof, signature string) {
		h := http.Header{"X-Github-Event": {event}, "Content-Type": {kind}, "X-Hub-Signature-256": {proof},
			"X-Gitea-Signature": {proof}, "X-Gitlab-Token": {proof}, "Authorization": {proof}, "Webhook-Id": {event},
			"Webhook-Timestamp": {"1800000000"}, "Webhook-Signature": {signature}}
		if c := ReadCall(h, []byte(body)); c.Ignored == "" && event == "ping" {
			t.Error("a ping starts a build")
		}
		if Genuine(secret, proof, h, []byte(body), now) {
			t.Errorf("%q, %q", proof, signature)
		}
		h.Set("Webhook-Signature", signature+" "+Sign(secret, event, now, []byte(body)))
		if event != "" && !Genuine(secret, "", h, []byte(body), now) {
			t.Errorf("a genuine signature after %q is refused", signature)
		}
	})
}

// FuzzCheckURL: an address that may be stored is what net/url sends to, to a host, and without a password.
func FuzzCheckURL(f *testing.F) {
	f.Add("https://example.org/a?b=c")
	f.Add("https://[::ffff:7f00:1]:8443")
	f.Add("https://a@b/")
	f.Fuzz(func(t *testing.T, text string) {
		if CheckURL(text, nil) != nil {
			return
		}
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || len(text) > longURL ||
			strings.EqualFold(u.Hostname(), "localhost") {
			t.Errorf("%q: %v, %v", text, u, err)
		}
		if _, err := http.NewRequest(http.MethodPost, text, nil); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}
