package jobs

import (
	"strings"
	"testing"
)

func TestAJobWithoutANameIsNamedAfterWhatItIsMadeFrom(t *testing.T) {
	runs := []byte("FROM debian:bookworm\nCMD [\"/srv/shop.py\"]\n")
	for _, c := range []struct {
		top, origin, dockerfile, want string
	}{
		{"shop-main", "download.zip", string(runs), "shop-main"},
		{"", "my shop.tar.gz", string(runs), "my shop"},
		{"", `C:\shop\files.tbz2`, string(runs), "files"},
		{"", "shop", string(runs), "shop"},
		{"", "", string(runs), "shop"},
		{"a\x1b[2Jb", "", string(runs), "shop"},
		{strings.Repeat("x", 101), "..", string(runs), "shop"},
		{"", "", "FROM debian:bookworm\nRUN true\n", "debian"},
		{"", "", "nonsense", "image"},
	} {
		if got := defaultName(c.top, Submission{Origin: c.origin, Dockerfile: []byte(c.dockerfile)}); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
