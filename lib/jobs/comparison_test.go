package jobs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"toaster.do/lib/dockerfile"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
)

func shown(hunks []Hunk) string {
	var b strings.Builder
	for _, h := range hunks {
		for _, r := range h.Rows {
			fmt.Fprintf(&b, "%d %q %d %q\n", r.FromLine, r.From, r.ToLine, r.To)
		}
		b.WriteString("--\n")
	}
	return b.String()
}

func TestTwoTextsSideBySide(t *testing.T) {
	for _, x := range []struct{ from, to, want string }{
		{"a\nb\n", "a\nb\n", ""},
		{"a\nb\nc\n", "a\nx\ny\nc\n", "1 \"a\" 1 \"a\"\n2 \"b\" 2 \"x\"\n0 \"\" 3 \"y\"\n3 \"c\" 4 \"c\"\n--\n"},
		{"a\nb\nc\n", "a\n", "1 \"a\" 1 \"a\"\n2 \"b\" 0 \"\"\n3 \"c\" 0 \"\"\n--\n"},
		{"", "a\r\n", "0 \"\" 1 \"a\"\n--\n"},
		{"1\n2\n3\n4\n5\n6\n7\n8\n9\nx\n", "y\n2\n3\n4\n5\n6\n7\n8\n9\n0\n",
			"1 \"1\" 1 \"y\"\n2 \"2\" 2 \"2\"\n3 \"3\" 3 \"3\"\n4 \"4\" 4 \"4\"\n--\n7 \"7\" 7 \"7\"\n8 \"8\" 8 \"8\"\n9 " +
				"\"9\" 9 \"9\"\n10 \"x\" 10 \"0\"\n--\n"},
	} {
		if got := shown(compareText([]byte(x.from), []byte(x.to))); got != x.want {
			t.Errorf("%q and %q:\n%swant\n%s", x.from, x.to, got, x.want)
		}
	}
}

// FuzzCompareText takes both texts out of what is shown, with enough lines around: nothing is lost.
func FuzzCompareText(f *testing.F) {
	f.Add("a\nb", "b\nc\n")
	f.Fuzz(func(t *testing.T, from, to string) {
		var removed, added int
		for _, h := range compareText([]byte(from), []byte(to)) {
			for _, r := range h.Rows {
				if r.FromLine == 0 && r.ToLine == 0 || r.FromLine == 0 && r.From != "" || r.ToLine == 0 && r.To != "" {
					t.Fatalf("%+v", r)
				}
				if r.FromLine > 0 && !r.Same() {
					removed++
				}
				if r.ToLine > 0 && !r.Same() {
					added++
				}
			}
		}
		if lines := func(s string) int {
			return strings.Count(s, "\n") + len(s[strings.LastIndexByte(s, '\n')+1:min(len(s),
				strings.LastIndexByte(s, '\n')+2)])
		}; lines(to)-lines(from) != added-removed {
			t.Errorf("%q and %q: %d removed, %d added", from, to, removed, added)
		}
	})
}

func TestPackagesAreComparedByName(t *testing.T) {
	from := parsePackages([]byte("adduser\t3.134\tall\napt\t2.6.1\tamd64\ngone\t1\tall\nnonsense\n"))
	to := parsePackages([]byte("adduser\t3.134\tall\napt\t2.6.2\tamd64\nlibc6\t2.36\tamd64\nlibc6\t2.36\ti386\n"))
	want := []Change{{"apt", "2.6.1", "2.6.2"}, {"gone", "1", ""}, {"libc6", "", "2.36"}, {"libc6:i386", "", "2.36"}}
	if got := changes(from, to); !slices.Equal(got, want) {
		t.Error(got)
	}
	if got := changes(map[string]string{"A": "", "B": "x"}, map[string]string{"B": "", "C": ""}); !slices.Equal(got,
		[]Change{{"A", `""`, ""}, {"B", "x", `""`}, {"C", "", `""`}}) {
		t.Error(got)
	}
}

func TestProvenanceIsComparedByName(t *testing.T) {
	got, err := parseProvenance([]byte(`{"target": "x", "mirror": null, "sources": ["a", "b"], "build_number": 3, "image": {"size": 1},
		"releases": [{"codename": "bookworm", "date": "Sat"}, {"date": "Sun"}], "source_date_epoch": 1793624159}`))
	want := map[string]string{"target": "x", "mirror": "none", "sources.1": "a", "sources.2": "b",
		"releases.bookworm.codename": "bookworm",
		"releases.bookworm.date":     "Sat", "releases.2.date": "Sun", "source_date_epoch": "1793624159"}
	if err != nil || len(changes(got, want)) > 0 {
		t.Error(got, err)
	}
	if _, err := parseProvenance([]byte("[")); err == nil {
		t.Error("a damaged file is read")
	}
}

func TestAComparisonSaysWhyImagesDiffer(t *testing.T) {
	side := func(sum string) *Side { return &Side{Image: &store.Artifact{SHA256: sum}} }
	for want, c := range map[string]*Comparison{
		"The images are identical.": {From: side("a"), To: side("a"), Dockerfile: []Hunk{{}}},
		"The Dockerfile has changed. The build arguments have changed. 2 packages differ.": {From: side("a"), To: side("b"),
			Dockerfile: []Hunk{{}}, BuildArgs: []Change{{}}, Packages: []Change{{}, {}}},
		"The build context has changed. The SSH keys or the password of root have changed. One package differs. toaster " +
			"has another version.": {From: side("a"), To: side("b"),
			Context: true, Root: true, Packages: []Change{{}}, Provenance: []Change{{Name: "toaster_version"}}},
		"": {From: &Side{}, To: side("b")},
	} {
		if got := strings.Trim(fmt.Sprint(c.Why()), "[]"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := (&Comparison{From: side("a"), To: side("b")}).Why(); len(got) != 1 ||
		!strings.Contains(got[0].String(), "random") {
		t.Error(got)
	}
}

func TestFindingsThatCameAndWent(t *testing.T) {
	a, b := dockerfile.Finding{Line: 1, Rule: "A", Message: i18n.T("m")},
		dockerfile.Finding{Line: 2, Rule: "B", Message: i18n.T("m")}
	moved := a
	moved.Line = 7
	if got := without([]dockerfile.Finding{a, b}, []dockerfile.Finding{moved}); len(got) != 1 || got[0].Rule != "B" {
		t.Error(got)
	}
}

// TestAComparisonOfManyLinesIsQuick: two Dockerfiles that have nothing in common but a few kinds of lines are compared
// in a time that grows with their length, where that of the shortest difference grows with its square.
func TestAComparisonOfManyLinesIsQuick(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	text := func(lines int) []byte {
		var b []byte
		for range lines {
			b = append(b, byte('a'+random.IntN(20)), '\n')
		}
		return b
	}
	var from, to []byte
	var hunks []Hunk
	compared := func(lines int) time.Duration {
		from, to = text(lines), text(lines)
		var before, after syscall.Rusage
		syscall.Getrusage(syscall.RUSAGE_SELF, &before)
		hunks = compareText(from, to)
		syscall.Getrusage(syscall.RUSAGE_SELF, &after)
		return time.Duration(after.Utime.Nano() - before.Utime.Nano())
	}
	if few, many := compared(2000), compared(32000); many > 100*few {
		t.Errorf("%v for 2000 lines, %v for 32000", few, many)
	} else {
		t.Log(few, many)
	}
	var left, right []byte
	for _, h := range hunks {
		for _, r := range h.Rows {
			if r.FromLine > 0 {
				left = append(left, r.From+"\n"...)
			}
			if r.ToLine > 0 {
				right = append(right, r.To+"\n"...)
			}
		}
	}
	if len(left) < len(from)/2 || len(right) < len(to)/2 {
		t.Errorf("%d and %d bytes are shown", len(left), len(right))
	}
}

func TestAProvenanceThatIsDeepIsCutOff(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)
	wide := "[" + strings.Repeat("0,", 100000) + "0]"
	flat, err := parseProvenance([]byte(`{"deep":` + deep + `,"wide":` + wide + `,"sdk_commit":"x"}`))
	size := 0
	for name := range flat {
		size += len(name)
	}
	if err != nil || size > 1<<20 {
		t.Errorf("%d names of %d bytes, %v", len(flat), size, err)
	}
}
