package engine

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/i18n"
)

func TestParseMark(t *testing.T) {
	for line, want := range map[string]Mark{
		"TOASTER-STEP 3/8 12 RUN apt-get  update\r\n": {Kind: StepBegins, Step: Step{3, 8, 12, "RUN apt-get  update"}},
		"TOASTER-STEP 1/1 1":                          {Kind: StepBegins, Step: Step{1, 1, 1, ""}},
		"TOASTER-FAILED 2/2 5 exit 127\n":             {Kind: StepFailed, Step: Step{2, 2, 5, ""}, Exit: 127},
		"TOASTER-FAILED 0/0 0 exit 1":                 {Kind: StepFailed, Exit: 1},
		"TOASTER-PHASE pack 1700000000.250\n": {Kind: PhaseBegins, Phase: "pack",
			At: time.UnixMilli(1700000000250)},
		"TOASTER-CACHED\r\n":               {Kind: WasCached},
		"toaster: failed: no \x1b[1mway\n": {Kind: ScriptFailed, Why: "no \x1b[1mway"},
		"toaster: packing a.tar.gz":        {Kind: PackingBegins},
		"TOASTER-WHY line %s failed%s: %s\t3\t\tRUN \x1b[1mx %s\n": {Kind: ScriptReason,
			Reason: i18n.T("Line %s failed%s: %s", "3", "", "RUN [1mx %s")},
	} {
		if got := ParseMark([]byte(line)); got != want {
			t.Errorf("%q gives %+v", line, got)
		}
	}
	for _, line := range []string{"", "\n", "TOASTER-STEP", "TOASTER-STEP 0/3 1 x", "TOASTER-STEP 4/3 1 x",
		"TOASTER-STEP a/b c", " TOASTER-STEP 1/2 1 x",
		"x\rTOASTER-STEP 1/2 1 x", "TOASTER-FAILED 1/2 1", "TOASTER-FAILED 1/2 1 exit", "TOASTER-PHASE pack",
		"TOASTER-PHASE pack NaN", "TOASTER-PHASE A 1",
		"TOASTER-PHASE pack -1", "TOASTER-PHASE pack 1e300", "TOASTER-WHY", "TOASTER-WHY x %s", "TOASTER-WHY x\ty",
		"TOASTER-CACHED x", "toaster: base"} {
		if got := ParseMark([]byte(line)); got != (Mark{}) {
			t.Errorf("%q was taken for %+v", line, got)
		}
	}
}

// sample has every kind of line and of line end, and what is no UTF-8.
const sample = "Started by user \x1b[8mha:AAAA\x1b[0mjane\r\nTOASTER-PHASE prepare 1.5\n" +
	"TOASTER-CACHED\n\n50%\r100%\r\r\n\xff\xfe\xe2\x82\n" +
	"TOASTER-PHASE step 2\nTOASTER-STEP 1/2 1 FROM x\r\n TOASTER-STEP 1/99 1 x\n" +
	"TOASTER-STEP 2/2 3 RUN ü\n\x00\nTOASTER-FAILED 2/2 3 exit 2\ntoaster: failed: why"

// TestAnyCutGivesTheSameLines cuts a log at each byte, into pieces of each size, and into three at each pair of places.
func TestAnyCutGivesTheSameLines(t *testing.T) {
	read := func(pieces ...string) (seen []string) {
		var s Scanner
		each := func(line []byte, m Mark) { seen = append(seen, fmt.Sprintf("%q %+v", line, m)) }
		for _, p := range pieces {
			s.Scan([]byte(p), each)
		}
		s.End(each)
		s.End(each)
		return seen
	}
	var want []string
	for line := range strings.SplitSeq(sample, "\n") {
		line = strings.TrimRight(line, "\r")
		want = append(want, fmt.Sprintf("%q %+v", line, ParseMark([]byte(line))))
	}
	if got := read(sample); !reflect.DeepEqual(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
	for a := range len(sample) + 1 {
		for b := a; b <= len(sample); b++ {
			if got := read(sample[:a], sample[a:b], "", sample[b:]); !reflect.DeepEqual(got, want) {
				t.Fatalf("cut at %d and %d: %q", a, b, got)
			}
		}
	}
	for size := 1; size <= len(sample); size++ {
		var pieces []string
		for rest := sample; rest != ""; {
			n := min(size, len(rest))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		if got := read(pieces...); !reflect.DeepEqual(got, want) {
			t.Fatalf("pieces of %d bytes: %q", size, got)
		}
	}
}

// A line as long as somebody writes takes no more memory than another, and the line after it is found.
func TestALineWithoutAnEnd(t *testing.T) {
	var s Scanner
	var steps, longest int
	each := func(line []byte, m Mark) {
		longest = max(longest, len(line))
		if m.Kind == StepBegins {
			steps++
		}
	}
	for range 100 {
		s.Scan(bytes.Repeat([]byte("TOASTER-STEP 1/1 1 x"), 1000), each)
		if cap(s.Rest) > 4*longestLine {
			t.Fatalf("%d bytes are kept", cap(s.Rest))
		}
	}
	s.Scan([]byte("\nTOASTER-STEP 1/1 1 x\n"), each)
	if steps != 2 || longest > longestLine {
		t.Errorf("%d steps, %d bytes", steps, longest)
	}
}

func FuzzScanner(f *testing.F) {
	f.Add([]byte(sample), 7)
	f.Add([]byte("TOASTER-PHASE x 9\r\r\n\r"), 1)
	f.Fuzz(func(t *testing.T, log []byte, size int) {
		read := func(size int) (seen []string) {
			var s Scanner
			each := func(line []byte, m Mark) { seen = append(seen, fmt.Sprintf("%q %+v", line, m)) }
			for rest := log; len(rest) > 0; {
				n := min(max(size, 1), len(rest))
				s.Scan(rest[:n], each)
				rest = rest[n:]
			}
			s.End(each)
			return seen
		}
		if one, other := read(len(log)), read(size); !reflect.DeepEqual(one, other) {
			t.Fatalf("in pieces of %d: %q, whole: %q", size, other, one)
		}
	})
}
