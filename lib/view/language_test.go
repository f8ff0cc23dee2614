package view

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/i18n"
	"toaster.do/templates"
)

func TestTheLanguageIsTheOneThatIsAskedForMost(t *testing.T) {
	for accept, want := range map[string]string{
		"": "en", "de": "de", "de-CH,de;q=0.9,en;q=0.8": "de", "en-GB, de;q=0.9": "en", "fr, de;q=0.5": "de", "fr": "en",
		"*":          "en",
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
	want := []string{"New {{.Kind}} job", "Hover here", `Hello {{if eq .A "x y"}}you{{else}}all{{end}}`,
		"A paragraph over <b>two</b> lines. = include _part .X"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q\nwant\n%q", got, want)
	}
	c := readCatalog("de", "# a comment\nNew {{.Kind}} job\n\tNeuer Auftrag: {{.Kind}}\nHover here\n\tHierher\n")
	if s := translate(source, c); !strings.Contains(s, "  | Neuer Auftrag: {{.Kind}}\n") ||
		!strings.Contains(s, `title="Hierher" Hello`) {
		t.Error(s)
	}
}

func TestATextIsTranslatedWithItsArguments(t *testing.T) {
	at := time.Date(2026, 3, 4, 15, 4, 5, 0, time.UTC)
	for _, x := range []struct {
		text i18n.Text
		want string
	}{
		{i18n.T("This job does not exist."), "Diesen Job gibt es nicht."},
		{i18n.T("Line %d can't be built: %s", 2, i18n.T("RUN has no command.")),
			"Zeile 2 lässt sich nicht bauen: RUN hat keinen Befehl."},
		{i18n.T("%s (Its stage is not part of the image.)", i18n.Key("RUN has no command.")),
			"RUN hat keinen Befehl. (Seine Stage ist nicht Teil des Images.)"},
		{i18n.T("There is no target %q.", "new"), "Es gibt kein Ziel \"new\"."},
		{i18n.T("You can start the next one on %s.", i18n.Time{At: at, Layout: "2 Jan 2006, 15:04:05 UTC"}),
			"Den nächsten kannst du am 4. März 2026, 15:04:05 UTC starten."},
		{i18n.T("waits for an agent with label %s: all are busy", "%s"),
			"wartet auf einen Agenten mit Label %s: alle sind belegt"},
		{i18n.T("%s is no longer on the disk.", "This job does not exist."),
			"This job does not exist. ist nicht mehr auf der Platte."},
		{i18n.Plain("This job does not exist."), "This job does not exist."},
		{i18n.T("No catalog has %s.", "it"), "No catalog has it."},
	} {
		if got := Text("de", x.text); got != x.want {
			t.Errorf("%q becomes %q, want %q", x.text, got, x.want)
		}
		if got := Text("xx", x.text); got != x.text.String() {
			t.Errorf("%q becomes %q in a language that isn't there", x.text, got)
		}
	}
}

func TestATranslationMayChangeTheOrder(t *testing.T) {
	c := readCatalog("de", "%s before %s\n\t%[2]s nach %[1]s\n")
	if got := i18n.T("%s before %d", "x", 2).In(c); got != "2 nach x" {
		t.Error(got)
	}
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
