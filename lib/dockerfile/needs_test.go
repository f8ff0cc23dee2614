package dockerfile_test

import (
	"testing"

	"toaster.do/lib/dockerfile"
)

func TestWhatNeedsAContext(t *testing.T) {
	for text, want := range map[string]bool{
		"FROM debian\nRUN true\n":                                         false,
		"FROM debian\nCOPY . /srv\n":                                      true,
		"FROM debian\ncopy a b\\\n c /\n":                                 true,
		"FROM debian\nADD x.tar.gz /\n":                                   true,
		"FROM debian\nADD https://example.org/x /\n":                      false,
		"FROM debian\nADD https://example.org/x y /z/\n":                  true,
		"FROM debian AS a\nFROM debian\nCOPY --from=a /x /y\n":            false,
		"FROM debian AS a\nCOPY x /\nFROM debian\nCOPY --from=a /x /y\n":  true,
		"FROM debian\nCOPY <<E /x\nCOPY y /\nE\n":                         false,
		"FROM debian\nRUN <<E\nCOPY y /\nE\n":                             false,
		"FROM debian\nRUN --mount=type=bind,target=/src make\n":           true,
		"FROM debian\nRUN --mount=type=cache,target=/src make\n":          false,
		"FROM debian AS a\nRUN --mount=type=bind,from=a,target=/s true\n": false,
		"FRUM debian\nCOPY x /\n":                                         true,
		"":                                                                false,
	} {
		if got := dockerfile.NeedsContext([]byte(text)); got != want {
			t.Errorf("%q needs one: %v", text, got)
		}
	}
}
