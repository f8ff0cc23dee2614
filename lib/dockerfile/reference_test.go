package dockerfile

import (
	"strings"
	"testing"
)

// TestValidReference: what docker build takes as the name of an image, and what it refuses.
func TestValidReference(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("0", 64)
	for _, ref := range []string{"debian", "debian:12", "debian:12.5-slim", "debian" + digest, "debian:12" + digest,
		"devuan/devuan:daedalus", "docker.io/library/debian",
		"localhost/mine", "localhost:5000/a/b:c_D", "[::1]:5000/a", "Example/a", "a__b/c--d", "debian:_x",
		"debian:" + strings.Repeat("x", 128)} {
		if !validReference(ref) {
			t.Errorf("%q is refused", ref)
		}
	}
	for _, ref := range []string{"", "debian:", "debian:-slim", "dyne/devuan:%REL%", "Debian", "example.org/Debian",
		"debian:a:b", "debian@sha256:00", "debian@", "a_.b/c", "a_b.c/d",
		"/debian", "debian/", "a//b", "-a", "a-", "a___b", "debian 12", "debian\n", "debian:" + strings.Repeat("x", 129),
		strings.Repeat("a", 64), "debian@md5:" + strings.Repeat("0", 32)} {
		if validReference(ref) {
			t.Errorf("%q is accepted", ref)
		}
	}
}

// TestInvalidImage: such a name is refused, in a stage that nothing needs too, and where a variable made it.
func TestInvalidImage(t *testing.T) {
	for text, line := range map[string]int{
		"FROM dyne/devuan:%REL%":                                        1,
		"ARG X\nFROM debian:${X}-slim":                                  2,
		"FROM debian: AS unused\nFROM devuan/devuan:daedalus":           1,
		"FROM devuan/devuan:daedalus AS A\nFROM a\nFROM Debian\nUSER a": 3,
	} {
		blend, findings := Translate(Source{Dockerfile: []byte(text + "\nCMD [\"x\"]\n")})
		if blend != nil || !strings.Contains(errorsAt(findings, "Syntax"), string(rune('0'+line))) {
			t.Errorf("%q: %v", text, findings)
		}
	}
}

func errorsAt(findings []Finding, rule string) (lines string) {
	for _, f := range findings {
		if f.Level == Error && f.Rule == rule {
			lines += string(rune('0' + f.Line))
		}
	}
	return lines
}
