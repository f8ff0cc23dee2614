package page

import (
	"io/fs"
	"strings"
	"testing"

	"toaster.do/templates"
)

func TestTheLanguageIsTheOneThatIsAskedForMost(t *testing.T) {
	for accept, want := range map[string]string{
		"": "en", "de": "de", "de-CH,de;q=0.9,en;q=0.8": "de", "en-GB, de;q=0.9": "en", "fr, de;q=0.5": "de", "fr": "en", "*": "en",
		"de;q=0, en": "en", "DE": "de", "de;q=2": "en", "de;q=x": "en", ",;q=,": "en", "en;q=0.4,de;q=0.5": "de",
	} {
		if got := Language(accept); got != want {
			t.Errorf("Accept-Language: %s gives %s, want %s", accept, got, want)
		}
	}
}

func TestMessagesAreTheTextsOfATemplate(t *testing.T) {
	source := `= content title
  | New {{.Kind}} job
h1.big#top title="Hover here" Hello {{if eq .A "x y"}}you{{else}}all{{end}}
p.hint.
  A paragraph over <b>two</b>
  lines.
  = include _part .X
a href="{{.Prefix}}/x" aria-label="{{.Name}}" {{.Name}}
pre. tabindex=0
  make run
code make test
{{if .A}}
| {{", "}}
`
	var got []string
	for _, s := range messages(source) {
		got = append(got, s.text)
	}
	want := []string{"New {{.Kind}} job", "Hover here", `Hello {{if eq .A "x y"}}you{{else}}all{{end}}`, "A paragraph over <b>two</b> lines. = include _part .X"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q\nwant\n%q", got, want)
	}
	c := readCatalog("# a comment\nNew {{.Kind}} job\n\tNeuer Auftrag: {{.Kind}}\nHover here\n\tHierher\n")
	if s := translate(source, c); !strings.Contains(s, "  | Neuer Auftrag: {{.Kind}}\n") || !strings.Contains(s, `title="Hierher" Hello`) {
		t.Error(s)
	}
}

func TestAProgramsTextIsTranslatedWithWhatItPutIn(t *testing.T) {
	c := readCatalog("You have %s jobs, and %s is your limit.\n\tDu hast %s Aufträge, erlaubt sind %s.\nThere is no such job.\n\tDiesen Auftrag gibt es nicht.\n")
	for text, want := range map[string]string{"You have 3 jobs, and 3 is your limit.": "Du hast 3 Aufträge, erlaubt sind 3.", "You have 3 jobs.": ""} {
		got := ""
		for _, p := range c.patterns {
			if values, ok := p.match(text); ok {
				got = p.fill(values)
			}
		}
		if got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	if c.whole["There is no such job."] != "Diesen Auftrag gibt es nicht." {
		t.Error(c.whole)
	}
}

// FuzzMessages: each message is a part of the source, in order, and translating with no words changes nothing.
func FuzzMessages(f *testing.F) {
	names, _ := fs.Glob(templates.Files, "*.ace")
	for _, name := range names {
		text, _ := templates.Files.ReadFile(name)
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, source string) {
		at := 0
		for _, s := range messages(source) {
			if s.from < at || s.to < s.from || s.to > len(source) {
				t.Fatalf("%+v in %d bytes, after %d", s, len(source), at)
			}
			at = s.to
		}
		if got := translate(source, readCatalog("")); got != source {
			t.Fatalf("%q became %q", source, got)
		}
	})
}
