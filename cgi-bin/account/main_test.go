package main

import (
	"image/color"
	"strings"
	"testing"

	"toaster.do/lib/apperr"
)

func TestBrowsersAreNamed(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                                  "Firefox (Linux)",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0":               "Edge (Windows)",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1": "Safari (iPhone)",
		"curl/8.5.0":    "curl",
		"something new": "something new",
		"":              "Unknown browser",
	} {
		if got := agentName(agent); got.String() != want {
			t.Errorf("%q is %q", agent, got)
		}
	}
}

func TestThePictureHasTheCodesModules(t *testing.T) {
	path, size, err := picture("otpauth://totp/x:y?secret=ABC")
	if err != nil || !strings.HasPrefix(path, "M4 4h7v1h-7z") || size != 4+29+4 {
		t.Errorf("%d %.40s %v", size, path, err)
	}
	if !dark(color.Black.RGBA()) || dark(color.White.RGBA()) {
		t.Error("dark is light")
	}
}

// FuzzDays: a token is good for 0 to 3650 days, or its form is refused.
func FuzzDays(f *testing.F) {
	f.Add("90")
	f.Add("-0")
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parseDays(text)
		if n < 0 || n > 3650 || err != nil && apperr.Of(err).Field != "days" {
			t.Errorf("%q is %d, %v", text, n, err)
		}
	})
}

// FuzzAgent: whatever a browser calls itself, the list of sessions has a name for it, and none is longer.
func FuzzAgent(f *testing.F) {
	f.Add("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	f.Fuzz(func(t *testing.T, agent string) {
		if name := agentName(agent); name.IsZero() || len(name.String()) > max(len(agent), len("Unknown browser")) {
			t.Errorf("%q is %q", agent, name)
		}
	})
}
