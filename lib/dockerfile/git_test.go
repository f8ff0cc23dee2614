package dockerfile

import (
	"strings"
	"testing"
)

// TestAddGit: the advice is the line to write instead.
func TestAddGit(t *testing.T) {
	for source, want := range map[string]string{
		"https://example.org/a.git": "RUN git clone https://example.org/a.git /src instead",
		"https://example.org/a.git#v1.0": "RUN git clone https://example.org/a.git /src && git -C /src checkout v1.0 " +
			"instead",
		"https://example.org/a.git#v1.0:in": "Only its folder in is used.",
		"git@example.org:a/b.git#:in":       "RUN git clone git@example.org:a/b.git /src instead",
	} {
		_, findings := Translate(Source{Dockerfile: []byte("FROM devuan/devuan:daedalus\nADD " + source +
			" /src\nCMD [\"x\"]\n")})
		if len(findings) != 1 || findings[0].Rule != "AddGit" || !strings.Contains(findings[0].Advice.String(), want) {
			t.Errorf("%s: %+v", source, findings)
		}
	}
}
