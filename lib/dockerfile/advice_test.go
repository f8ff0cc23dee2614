package dockerfile_test

import (
	"strings"
	"testing"

	"toaster.do/lib/dockerfile"
)

// TestAdviceNamesTheTargetsRelease: whatever names an image to begin with names the target's, not always Devuan's.
func TestAdviceNamesTheTargetsRelease(t *testing.T) {
	for codename, want := range map[string]string{
		"bookworm": "debian:bookworm", "trixie": "debian:trixie", "daedalus": "devuan/devuan:daedalus",
		"excalibur": "devuan/devuan:excalibur",
		"ceres":     "devuan/devuan:ceres", "sid": "debian:sid",
	} {
		for _, text := range []string{
			"", "# nothing\n", "RUN true\n", "ARG X\n", "FROM scratch\n", "FROM nginx\n", "FROM localhost/mine\n",
			"FROM debian:latest\n",
			"FROM debian\n", "FROM devuan/devuan\n", "FROM debian:mine\n", "FROM devuan/devuan:mine\n", "FROM Not/Valid:\n",
			"FROM node AS x\nFROM debian:stable\n",
		} {
			for _, f := range dockerfile.Check(dockerfile.Source{Dockerfile: []byte(text), Codename: codename}) {
				names := strings.Contains(f.Advice.String(), "devuan/devuan:") ||
					strings.Contains(f.Advice.String(), "debian:")
				if names && !strings.Contains(f.Advice.String(), want) {
					t.Errorf("for %s, %q: %s %s", codename, text, f.Message, f.Advice)
				}
			}
		}
	}
	for text, want := range map[string]string{ // without a target it is the release that FROM names
		"FROM debian\n": "debian:trixie", "FROM devuan/devuan:stable\n": "devuan/devuan:excalibur",
		"FROM nginx\n": "devuan/devuan:daedalus",
	} {
		found := false
		for _, f := range dockerfile.Check(dockerfile.Source{Dockerfile: []byte(text)}) {
			found = found || strings.Contains(f.Advice.String(), want)
		}
		if !found {
			t.Errorf("%q: no advice names %s", text, want)
		}
	}
}
