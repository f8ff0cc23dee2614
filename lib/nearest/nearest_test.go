package nearest

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/moby/buildkit/util/suggest"
)

// FuzzNearest: the same suggestion as BuildKit's, for any names.
func FuzzNearest(f *testing.F) {
	f.Add("VERSON", "VERSION VERSIO APP")
	f.Add("VAR500", "VAR1 VAR5 VAR501 VAR500x VAR499")
	f.Add("APP", "APP AP APPS")
	f.Add("größe", "grösse größer groesse")
	f.Add("", "A AB ABC")
	f.Fuzz(func(t *testing.T, name, known string) {
		if !utf8.ValidString(name) || !utf8.ValidString(known) {
			return // a Dockerfile is UTF-8
		}
		want, _ := suggest.Search(name, strings.Fields(known), true)
		if got := To(name, strings.Fields(known)); got != want {
			t.Errorf("To(%q, %q) = %q, BuildKit says %q", name, known, got, want)
		}
	})
}
