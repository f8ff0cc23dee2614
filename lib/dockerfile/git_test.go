package dockerfile

import (
	"strings"
	"testing"
)

// TestAddGit: what an address of a repository means, and what is refused.
func TestAddGit(t *testing.T) {
	const a = "git_tree 1 https://example.org/a.git"
	for source, want := range map[string]string{
		"https://example.org/a.git":                       a + " '' '' / '' yes ''",
		"https://example.org/a.git#v1.0:in/dir":           a + " v1.0 '' /in/dir '' yes ''",
		"https://example.org/a.git#:../in":                a + " '' '' /in '' yes ''",
		"https://example.org/a.git?tag=v1&subdir=x":       a + " refs/tags/v1 '' /x '' yes ''",
		"https://example.org/a.git?branch=b&submodules=0": a + " refs/heads/b '' / '' '' ''",
		"https://example.org/a.git?commit=abcd12&keep-git-dir=1&mtime=commit": a + " '' " +
			"abcd12 / yes yes yes",
		"https://example.org/a.git?keep-git-dir": a + " '' '' / yes yes ''",
		"git://example.org/a#main": "git_tree 1 git://example.org/a " +
			"main '' / '' yes ''",
		"--keep-git-dir=true https://example.org/a.git":                    a + " '' '' / yes yes ''",
		"--checksum=0123abc https://example.org/a.git#main":                a + " main 0123abc / '' yes ''",
		"git@example.org:a/b.git#:in":                                      "no SSH keys",
		"ssh://git@example.org/a.git":                                      "no SSH keys",
		"https://example.org/a.git?x=1":                                    "x=1",
		"https://example.org/a.git?ref=a#b":                                "ref=a",
		"https://example.org/a.git?tag=a&branch=a":                         "tag=a",
		"https://example.org/a.git?subdir=a&subdir=b":                      "subdir=a",
		"https://example.org/a.git?mtime=now":                              "mtime=now",
		"https://example.org/a.git#--upload-pack=x":                        "invalid",
		"--checksum=main https://example.org/a.git":                        "not the digest of a commit",
		"--checksum=abcd https://example.org/a.git?commit=ef12":            "contradict",
		"--keep-git-dir=false https://example.org/a.git?keep-git-dir=true": "contradict",
	} {
		blend, findings := Translate(Source{Dockerfile: []byte("FROM devuan/devuan:daedalus\nADD " + source +
			" /src\nCMD [\"x\"]\n")})
		switch {
		case blend != nil && !strings.Contains(string(blend.Text), "\n"+want+"\n"):
			at := strings.Index(string(blend.Text), "\ngit_tree ")
			t.Errorf("%s: %.200s", source, blend.Text[max(at, 0):])
		case blend == nil && (findings[0].Rule != "AddGit" || !strings.Contains(findings[0].Message.String(), want)):
			t.Errorf("%s: %+v", source, findings)
		}
	}
}
