package jobs

import (
	"slices"
	"strings"
	"testing"

	"toaster.do/lib/apperr"
)

// TestEnvironment: as docker run --env-file has it; a line that is none is named.
func TestEnvironment(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                     nil,
		"A=1\r\n\n  B=it's \"x\" $HOME # y \n": {"A=1", "B=it's \"x\" $HOME # y "},
		"# a comment\nA==b\nA.B-c=\n":          {"A==b", "A.B-c="},
		"A=1\nB=2\nA=3":                        {"B=2", "A=3"},
		"A=1\rB=2\r":                           {"A=1", "B=2"},
	} {
		if got, err := ParseEnvironment(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is %q, %v; want %q", text, got, err, want)
		}
	}
	for text, line := range map[string]string{"A=1\nB\n": "Line 2 ", "=x": "Line 1 ", "\n\nA B=c": "Line 3 ",
		"A=\x00": "Line 1 ", "A=\xff": "Line 1 ", "\x1b=x": "Line 1 "} {
		_, err := ParseEnvironment(text)
		if f := apperr.Of(err); err == nil || f.Field != "environment" || f.Kind != apperr.InvalidArgument ||
			!strings.HasPrefix(f.Message.String(), line) || f.Advice.IsZero() {
			t.Errorf("%q: %v", text, err)
		}
	}
}
