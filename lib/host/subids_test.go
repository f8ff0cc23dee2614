package host

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestEachBuildHasIDsOfItsOwn(t *testing.T) {
	for what, c := range map[string]struct {
		uids, gids string
		want       []int
	}{
		"one slot":  {"toaster:100000:65536\n", "toaster:100000:65536\n", []int{100000}},
		"two slots": {"toaster:1048576:131072\n", "toaster:1048576:131072\n", []int{1048576, 1114112}},
		"two lines": {"toaster:100000:65536\ntoaster:300000:65536\n",
			"toaster:300000:65536\ntoaster:100000:65536", []int{100000, 300000}},
		"somebody else's":     {"ann:100000:65536\n", "ann:100000:65536\n", nil},
		"too few":             {"toaster:100000:65535\n", "toaster:100000:65535\n", nil},
		"only in one file":    {"toaster:100000:65536\n", "", nil},
		"others in the other": {"toaster:100000:65536\n", "toaster:200000:65536\n", nil},
		"a part of the other": {"toaster:100000:200000\n", "toaster:150000:100000\n", []int{150000}},
		"lines that mean none": {"toaster\ntoaster:x:65536\n:::\ntoaster:1:2:3\ntoaster:-5:65536\n",
			"toaster:1:65536\n", nil},
		"a name that begins so": {"toaster2:100000:65536\n", "toaster2:100000:65536\n", nil},
	} {
		if got := buildIDs(c.uids, c.gids, "toaster"); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", what, got, c.want)
		}
	}
}

func TestNewIDsAreNobodys(t *testing.T) {
	for files, want := range map[[2]string]int{
		{"", ""}: 1 << 20,
		{"ann:100000:65536\n", "ann:100000:65536\n"}:         1 << 20,
		{"ann:1048576:65536\n", ""}:                          1<<20 + 65536,
		{"", "ann:1100000:65536\n"}:                          1179648,
		{"a:1048576:65536\nb:1179648:10\n", "c:1300000:1\n"}: 1310720,
	} {
		if s := FreeSpan(files[0], files[1], 2*IDsOfABuild); s.First != want || s.End != want+2*IDsOfABuild {
			t.Errorf("%q: %v, want %d", files, s, want)
		}
	}
}

func FuzzIDs(f *testing.F) {
	f.Add("toaster:100000:65536\nann:1:2\n", "toaster:100000:131072\n")
	f.Add(":::\n1:2:3:4\ntoaster:99999999999999999999:1", "toaster:9223372036854775807:9223372036854775807")
	f.Fuzz(func(t *testing.T, uids, gids string) {
		for _, first := range buildIDs(uids, gids, "toaster") {
			for _, text := range []string{uids, gids} {
				if !slices.ContainsFunc(Spans(text, "toaster"),
					func(s Span) bool { return s.First <= first && first+IDsOfABuild <= s.End }) {
					t.Errorf("%d is not theirs in %q", first, text)
				}
			}
		}
		s := FreeSpan(uids, gids, IDsOfABuild)
		for line := range strings.Lines(uids + "\n" + gids) {
			var first, count int
			if f := strings.Split(strings.TrimSpace(line), ":"); len(f) == 3 {
				first, _ = strconv.Atoi(f[1])
				count, _ = strconv.Atoi(f[2])
			}
			if first >= lowest && first < 1<<31 && count > 0 && first < s.End && s.First < first+count {
				t.Errorf("%v is taken: %s", s, fmt.Sprint(first, count))
			}
		}
	})
}
