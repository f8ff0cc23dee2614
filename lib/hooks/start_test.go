package hooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// repeated is a text over and over, n bytes of it.
func repeated(text string, n int) io.Reader {
	return io.LimitReader(&endless{text: strings.Repeat(text, 1000)}, int64(n/len(text)*len(text)))
}

type endless struct {
	text string
	at   int
}

func (e *endless) Read(b []byte) (n int, err error) {
	for n < len(b) {
		got := copy(b[n:], e.text[e.at:])
		n, e.at = n+got, (e.at+got)%len(e.text)
	}
	return n, nil
}

// GitHub sends up to 25 MB: that is read, and proven, in a fraction of its size, whatever it is.
func TestALargeCallIsReadInLittleMemory(t *testing.T) {
	const much, secret = MostBody - 1<<10, "whsec_AAAA"
	push := `"ref":"refs/heads/main","repository":{"default_branch":"main"}}`
	for name, c := range map[string]struct {
		begin, middle, end, want string
	}{
		"a long string":     {`{"x":"`, "é\\n\\u00e9", `",` + push, "refs/heads/main"},
		"a long ref":        {`{"ref":"`, "x", `"}`, strings.Repeat("x", longest)},
		"a long name":       {`{"`, "x", `":1,` + push, "refs/heads/main"},
		"a long number":     {`{"x":`, "1", `,` + push, "refs/heads/main"},
		"much white space":  {`{`, "\n\t ", push, "refs/heads/main"},
		"lists in lists":    {``, "[", ``, ""},
		"objects in others": {``, `{"a":`, ``, ""},
		"no JSON":           {``, "x", ``, ""},
		"a form":            {`payload={"x":"`, "%41+", `",` + push, "refs/heads/main"},
		"another form":      {`y={"x":"`, "%41+", `",` + push, ""},
	} {
		all := func() io.Reader {
			return io.MultiReader(strings.NewReader(c.begin), repeated(c.middle, much), strings.NewReader(c.end))
		}
		m := hmac.New(sha256.New, []byte(secret))
		io.Copy(m, all())
		h := http.Header{"X-Github-Event": {"push"}, "X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(m.Sum(nil))}}
		if strings.Contains(name, "form") {
			h.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		call, genuine, err := Read(secret, "", h, all(), begin)
		runtime.ReadMemStats(&after)
		if err != nil || !genuine || call.Ref != c.want {
			t.Errorf("%s: %.60q, %v, %v", name, call.Ref, genuine, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
			t.Errorf("%s: %d bytes of memory", name, n)
		}
	}
	_, genuine, err := Read(secret, secret, http.Header{}, repeated(" ", MostBody+1), begin)
	if tooLong := (*http.MaxBytesError)(nil); genuine || !errors.As(err, &tooLong) {
		t.Errorf("more: %v, %v", genuine, err)
	}
}

// What is signed is all of the body, also what is not looked at.
func TestTheWholeBodyIsSigned(t *testing.T) {
	secret := NewSecret()
	for _, body := range []string{`{"ref":"x"}`, `{"ref":"x"} more`, `{"ref":`, "payload=%7B%7D&x=y", ""} {
		for _, kind := range []string{"application/json", "application/x-www-form-urlencoded"} {
			h := http.Header{"Content-Type": {kind}, "Webhook-Id": {"1"}, "Webhook-Timestamp": {"1767323045"}}
			h.Set("Webhook-Signature", Sign(secret, "1", time.Unix(1767323045, 0), []byte(body)))
			if _, genuine, err := Read(secret, "", h, strings.NewReader(body), begin); !genuine || err != nil {
				t.Errorf("%s, %s: %v, %v", body, kind, genuine, err)
			}
			if _, genuine, err := Read(secret, "", h, strings.NewReader(body+"x"), begin); genuine || err != nil {
				t.Errorf("%sx, %s: %v, %v", body, kind, genuine, err)
			}
		}
	}
}
