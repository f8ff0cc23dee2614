package printable

import "testing"

func TestWhatIsShown(t *testing.T) {
	for s, want := range map[string]bool{"": true, "Ann é 字": true, "a\nb": false, "\x1b[2J": false, "\xff": false,
		"a\u200bb": false} {
		if Is(s) != want {
			t.Errorf("Is(%q) is %v", s, !want)
		}
	}
	for s, want := range map[string]bool{"a/b c": true, "a\u200bb": true, "a\nb": false, "\xff": false, "\x00": false} {
		if IsPath(s) != want {
			t.Errorf("IsPath(%q) is %v", s, !want)
		}
	}
	if got := Line("a\nb\x1b[2J\u202e\xffé"); got != "a b\uFFFD[2J\uFFFD\uFFFDé" {
		t.Errorf("Line: %q", got)
	}
	if got := Shorten("a\nb\x1b\xff字字字", 4); got != "ab\uFFFD字…" {
		t.Errorf("Shorten: %q", got)
	}
}
