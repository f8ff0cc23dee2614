package main

import (
	"testing"
)

func TestBrowsersAreNamed(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0": "Firefox (Linux)",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 " +
			"Edg/140.0": "Edge (Windows)",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 " +
			"Mobile/15E148 Safari/604.1": "Safari (iPhone)",
		"curl/8.5.0":    "curl",
		"something new": "something new",
		"":              "Unknown browser",
	} {
		if got := agentName(agent); got.String() != want {
			t.Errorf("%q is %q", agent, got)
		}
	}
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
