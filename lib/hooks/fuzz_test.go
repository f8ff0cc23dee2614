package hooks

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// FuzzRead: whatever a body and its headers are, reading them ends, and nobody gets in who doesn't know the secret.
func FuzzRead(f *testing.F) {
	f.Add("push", "application/json", `{"ref":"refs/heads/main","after":"00"}`, "sha256=00", "v1,AAAA")
	f.Add("ping", "application/x-www-form-urlencoded", "payload=%7B%7D", "", "")
	f.Add("", "text/plain", `{"type":"build.lost","ref":1}`, "Bearer x", "1")
	secret := NewSecret()
	now := time.Unix(1_800_000_000, 0)
	f.Fuzz(func(t *testing.T, event, kind, body, proof, signature string) {
		h := http.Header{"X-Github-Event": {event}, "Content-Type": {kind}, "X-Hub-Signature-256": {proof},
			"X-Gitea-Signature": {proof}, "X-Gitlab-Token": {proof}, "Authorization": {proof}, "Webhook-Id": {event},
			"Webhook-Timestamp": {"1800000000"}, "Webhook-Signature": {signature}}
		c, genuine, err := Read(secret, proof, h, strings.NewReader(body), now)
		if err != nil || genuine {
			t.Errorf("%q, %q: %v", proof, signature, err)
		}
		if c.Ignored == "" && event == "ping" {
			t.Error("a ping starts a build")
		}
		h.Set("Webhook-Signature", signature+" "+Sign(secret, event, now, []byte(body)))
		if _, genuine, err := Read(secret, "", h, strings.NewReader(body), now); event != "" && (!genuine || err != nil) {
			t.Errorf("a genuine signature after %q is refused: %v", signature, err)
		}
	})
}

// FuzzPayload: what is found in a body of a usual size is what encoding/json finds that reads it whole, in a form, too.
func FuzzPayload(f *testing.F) {
	f.Add(`{"ref":"refs/heads/main","after":"00","deleted":true,"type":"x","ref":{},"repository":{"default_branch":"a"}}`)
	f.Add(`{"project":{"default_branch":"\ud83d\u00e9\"\\"},"project":[{"ref":"x"}],"x":[1e999,null , true]} `)
	f.Add(`[{"ref":"x"}]`)
	f.Add(`{"repository\u0000default_branch":"x", "ref" : "y" } 1`)
	f.Fuzz(func(t *testing.T, body string) {
		if len(body) > longest || strings.Count(body, "[")+strings.Count(body, "{") > deepest {
			return
		}
		var all any
		if d := json.NewDecoder(strings.NewReader(body)); json.Valid([]byte(body)) {
			d.UseNumber()
			if err := d.Decode(&all); err != nil {
				t.Fatal(err)
			}
		}
		o, _ := all.(map[string]any)
		text := func(o map[string]any, name string) string { s, _ := o[name].(string); return s }
		repository, _ := o["repository"].(map[string]any)
		project, _ := o["project"].(map[string]any)
		want := payload{text(o, "ref"), text(o, "after"), text(o, "type"), o["deleted"] == true,
			text(repository, "default_branch"), text(project, "default_branch")}
		if got := readPayload(http.Header{}, strings.NewReader(body)); got != want {
			t.Errorf("%q: %+v, not %+v", body, got, want)
		}
		h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
		form := "payload=" + url.QueryEscape(body) + "&x=y"
		if got := readPayload(h, iotest.OneByteReader(strings.NewReader(form))); got != want {
			t.Errorf("%q: %+v, not %+v", form, got, want)
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
