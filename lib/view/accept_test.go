package view

import (
	"slices"
	"testing"
)

// FuzzLanguage: whatever a browser says of languages, pages are in one that they have.
func FuzzLanguage(f *testing.F) {
	for _, field := range []string{"de-AT, en;q=0.5", "*", "de;q=0", "en;q=0.1, de;q=9", ";;,,"} {
		f.Add(field)
	}
	f.Fuzz(func(t *testing.T, field string) {
		if got := Language(field); !slices.Contains(Languages, got) {
			t.Errorf("%q: %q", field, got)
		}
		if got := Language("de, " + field); got != "de" {
			t.Errorf("%q after de: %q", field, got)
		}
	})
}
