package view

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
	c := readCatalog("de", "# a comment\nNew {{.Kind}} job\n\tNeuer Auftrag: {{.Kind}}\nHover here\n\tHierher\n")
	if s := translate(source, c); !strings.Contains(s, "  | Neuer Auftrag: {{.Kind}}\n") || !strings.Contains(s, `title="Hierher" Hello`) {
		t.Error(s)
	}
}

func TestAProgramsTextIsTranslatedWithWhatItPutIn(t *testing.T) {
	c := readCatalog("de", "You have %s jobs, and %s is your limit.\n\tDu hast %s Aufträge, erlaubt sind %s.\nThis job does not exist.\n\tDiesen Job gibt es nicht.\n")
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
	if c.whole["This job does not exist."] != "Diesen Job gibt es nicht." {
		t.Error(c.whole)
	}
}

func TestWhatIsPutInIsTranslatedWhereItIsOurs(t *testing.T) {
	for text, want := range map[string]string{
		"Line 2 can't be built: RUN has no command.":                                            "Zeile 2 lässt sich nicht bauen: RUN hat keinen Befehl.",
		"RUN has no command. (Its stage is not part of the image.)":                             "RUN hat keinen Befehl. (Seine Stage ist nicht Teil des Images.)",
		"There is no target \"new\".":                                                           "Es gibt kein Ziel \"new\".",
		"You can start the next one on 4 Mar 2026, 15:04:05 UTC.":                               "Den nächsten kannst du am 4. März 2026, 15:04:05 UTC starten.",
		"waits for an agent with label arm64: all are busy":                                     "wartet auf einen Agenten mit Label arm64: alle sind belegt",
		"devuan/devuan:latest is a moving tag: it will point to another release in the future.": "devuan/devuan:latest ist ein beweglicher Tag: Er zeigt künftig auf ein anderes Release.",
		"The build context can't be used: a/b has an absolute name.":                            "Der Build-Kontext lässt sich nicht verwenden: a/b hat einen absoluten Namen.",
		"BuildKit says what is in no catalog.":                                                  "BuildKit says what is in no catalog.",
		"Line 3 of the Dockerfile failed (exit code 1): RUN false.":                             "Zeile 3 des Dockerfiles ist fehlgeschlagen (exit code 1): RUN false.",
	} {
		if got := Text("de", text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
		if got := Text("en", text); got != text {
			t.Errorf("%q becomes %q in English", text, got)
		}
	}
}

// FuzzText: text is never lost, whatever a program has put in, and a language that isn't there is English.
func FuzzText(f *testing.F) {
	f.Add("Line 2 can't be built: RUN has no command.")
	f.Add("%s%s")
	f.Fuzz(func(t *testing.T, text string) {
		if got := Text("de", text); got == "" && text != "" {
			t.Errorf("%q becomes nothing", text)
		}
		if got := Text("xx", text); got != text {
			t.Errorf("%q becomes %q", text, got)
		}
	})
}

// FuzzMessages: each message is a part of the source, in order, and translating with no words changes nothing.
func FuzzMessages(f *testing.F) {
	names, _ := fs.Glob(templates.Pages, "*.ace")
	for _, name := range names {
		text, _ := templates.Pages.ReadFile(name)
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
		if got := translate(source, readCatalog("de", "")); got != source {
			t.Fatalf("%q became %q", source, got)
		}
	})
}
