package view

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryButtonThatIsNamedIsThere: every button that a text names is on a page in these very words.
func TestEveryButtonThatIsNamedIsThere(t *testing.T) {
	there := map[string]bool{}
	each(t, func(t *testing.T, name, text string) {
		for _, m := range button.FindAllStringSubmatch(text, -1) {
			for _, label := range regexp.MustCompile(`\{\{[^}]*\}\}`).Split(m[1]+m[2], -1) {
				there[strings.TrimSpace(label)] = true
			}
		}
	})
	if !there["Log out"] || !there["Create job"] || len(there) < 20 {
		t.Fatal("no buttons are found: ", there)
	}
	texts := map[string]string{}
	each(t, func(_ *testing.T, name, text string) { texts[name] = text })
	for _, name := range []string{"README.md", "conf/README.md", "conf/jenkins/README.md"} {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	said := 0
	for name, text := range texts {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			said++
			if label := m[1] + m[2] + m[3]; !there[strings.Join(strings.Fields(label), " ")] {
				t.Errorf("%s names the button %q, and no page has it", name, label)
			}
		}
	}
	if said < 4 {
		t.Error("nothing names a button: the search has gone wrong")
	}
	german := Word("de", "No builds yet. Select “Build image”.")
	if label := regexp.MustCompile(`„([^“]+)“`).FindStringSubmatch(german); label == nil ||
		label[1] != Word("de", "Build image") {
		t.Errorf("in German the button is %q: %s", Word("de", "Build image"), german)
	}
}

var (
	button = regexp.MustCompile(`(?m)^\s*(?:button|a\.button)\S*(?: \S+=(?:"[^"]*"|\S*))* (.+)$|<button [^>]*>([^<]+)</button>`)
	named  = regexp.MustCompile(`(?:[Pp]ress|[Ss]elect|choose)\s+(?:“([^”]+)”|\*([^*]+)\*|([A-Z][a-z]+\b))`)
)
