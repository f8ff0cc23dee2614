package shell

import (
	"os/exec"
	"strings"
	"testing"
)

// FuzzQuote: a shell gives back the very word.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "'", "a'b", "$(id)", "`id`", "\\", "\n", "é", "-n", "~", "a=b", "\x80\xff"} {
		f.Add(s)
	}
	f.Add("it's $(touch x) `y` \\ \" !\n")
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsRune(s, 0) {
			return
		}
		out, err := exec.Command("sh", "-c", "printf %s "+Quote(s)).Output()
		if err != nil || string(out) != s {
			t.Errorf("Quote(%q) = %s, the shell says %q, %v", s, Quote(s), out, err)
		}
	})
}
