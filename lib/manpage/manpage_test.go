package manpage

import "testing"

func TestATextIsNoRequest(t *testing.T) {
	for text, want := range map[string]string{".x": `\&.x`, "'x": `\(aqx`, `a\b`: `a\eb`, "-x": `\-x`, "×": `\[u00D7]`} {
		if got := escape(text); got != want {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}
