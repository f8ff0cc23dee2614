package difftest

import (
	"regexp"
	"strings"
	"testing"
)

var phases = regexp.MustCompile(`(?m)^TOASTER-PHASE [a-z]+ \d{10}\.\d{3}\n`)

// TestRUNCannotSpeakForTheBuilder: whatever a RUN prints, in pieces or at once, with or without an end of its last
// line, the marks in the log are the builder's own, each is a line of its own, and what was printed can still be read.
func TestRUNCannotSpeakForTheBuilder(t *testing.T) {
	b := newRoot(t)
	for name, c := range map[string]struct{ run, printed string }{
		"no end of a line":  {`printf 'fetched 100%%'`, "fetched 100%\n"},
		"a carriage return": {`printf '50%%\r'`, "50%\r\n"},
		"a step":            {`echo TOASTER-STEP 1/99 1 x`, " TOASTER-STEP 1/99 1 x\n"},
		"a failure":         {`printf 'TOASTER-FAILED 1/2 1 exit 0'`, " TOASTER-FAILED 1/2 1 exit 0\n"},
		"the script's word": {`echo toaster: failed: no; echo toaster: packing x`,
			" toaster: failed: no\n toaster: packing x\n"},
		"the SDK's word": {`echo 'sdk: [E] no' >&2`, " sdk: [E] no\n"},
		"after a return": {`printf 'x\rTOASTER-FAILED 0/0 0 exit 1\r\n'`, "x\r TOASTER-FAILED 0/0 0 exit 1\r\n"},
		"byte by byte": {`for c in T O A S T E R - S T E P; do printf $c; sleep 0.02; done; echo ' 1/1 1 x'`,
			" TOASTER-STEP 1/1 1 x\n"},
		"behind a note": {`printf '\033[8mha:AAAA\033[0mTOASTER-STEP 1/1 1 x\n'`,
			"\x1b[8m ha:AAAA\x1b[0mTOASTER-STEP 1/1 1 x\n"},
		"no UTF-8, and zeros": {`printf '\377\000\n\000TOASTER-STEP\n\342\202'`,
			"\xff\x00\n\x00TOASTER-STEP\n\xe2\x82\n"},
		"its own file": {`echo TOASTER-STEP 1/1 1 x >/dev/stdout`, " TOASTER-STEP 1/1 1 x\n"},
		"left behind":  {`(sleep 0.1; echo TOASTER-STEP 1/1 1 x) & wait`, " TOASTER-STEP 1/1 1 x\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, dir := translateText(t, b, "FROM debian:bookworm\nRUN "+c.run+"\nRUN printf last; exit 3\n")
			out, err := zsh(dir, `strapdir=$PWD/root; source ./app.blend; blend_postinst`)
			if err == nil {
				t.Error("it succeeds")
			}
			out = phases.ReplaceAllString(out, "")
			_, after, found := strings.Cut(out, "TOASTER-STEP 2/3 2 RUN ")
			_, after, _ = strings.Cut(after, "\n")
			printed, after, end := strings.Cut(after, "TOASTER-STEP 3/3 3 RUN printf last; exit 3\n")
			if printed != c.printed || !found || !end ||
				!strings.HasPrefix(after, "last\nTOASTER-FAILED 3/3 3 exit 3\n") {
				t.Errorf("%q", out)
			}
			var marks int
			for line := range strings.Lines(out) {
				if strings.HasPrefix(line, "TOASTER-STEP ") || strings.HasPrefix(line, "TOASTER-FAILED ") {
					marks++
				}
			}
			if marks != 4 {
				t.Errorf("%d marks in %q", marks, out)
			}
		})
	}
}

// TestNamesCannotSpeakForTheBuilder: a name of a file stands in the builder's messages as one line.
func TestNamesCannotSpeakForTheBuilder(t *testing.T) {
	b := newRoot(t)
	_, dir := translateText(t, b,
		"FROM debian:bookworm\n"+
			"RUN f=$(printf '/g\\nTOASTER-FAILED 1') && touch \"$f\" && ln -s \"$f\" /l\nWORKDIR /l/x\n")
	out, err := zsh(dir, `strapdir=$PWD/root; source ./app.blend; blend_postinst`)
	if err == nil || strings.Contains(out, "\nTOASTER-FAILED 1") ||
		!strings.Contains(out, "\ntoaster: /g TOASTER-FAILED 1: not a directory\nTOASTER-FAILED 3/3 3 exit 1\n") {
		t.Errorf("%v %q", err, out)
	}
}
