package view

import (
	"encoding/xml"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/i18n"
	"toaster.do/static"
	"toaster.do/templates"
)

func each(t *testing.T, check func(t *testing.T, name, text string)) {
	names, err := fs.Glob(templates.Pages, "*.ace")
	if err != nil || len(names) < 10 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		text, err := templates.Pages.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { check(t, name, string(text)) })
	}
}

func TestTemplatesHaveNothingThatTheRulesForbid(t *testing.T) {
	forbidden := map[string]*regexp.Regexp{
		"HTML switches escaping off":              regexp.MustCompile(`\bHTML\b`),
		"a tab gives garbage":                     regexp.MustCompile(`\t`),
		"a comment reaches the client":            regexp.MustCompile(`(?m)^\s*//`),
		"inline style":                            regexp.MustCompile(`(?m)\bstyle=|^\s*style\b|<style|^\s*= css`),
		"inline script":                           regexp.MustCompile(`(?m)\bon[a-z]+=|<script|^\s*= javascript|javascript:`),
		"a script without a source":               regexp.MustCompile(`(?m)^\s*script(\s+[^s]|$)`),
		"something from another site":             regexp.MustCompile(`(src|href|action)="?(https?:)?//`),
		"a path that leaves the prefix out":       regexp.MustCompile(`(src|href|action)="?/`),
		"ace takes the attribute's name for text": regexp.MustCompile(`\b(required|checked|selected|defer)(\s|$)[^=}]`),
	}
	each(t, func(t *testing.T, name, text string) {
		for why, re := range forbidden {
			if found := re.FindString(text); found != "" && !strings.Contains(found, "selected{{") {
				t.Errorf("%s: %q", why, found)
			}
		}
	})
}

func TestEveryPageIsParsedInEveryLanguage(t *testing.T) {
	each(t, func(t *testing.T, name, text string) {
		if name == "layout.ace" || name[0] == '_' {
			return
		}
		for _, lang := range Languages {
			if _, err := Source(lang, strings.TrimSuffix(name, ".ace")); err != nil {
				t.Error(lang, err)
			}
		}
	})
}

// failure is what the error page shows.
type failure struct {
	Status               int
	Title, Message, Help string
	Typed                []struct{ Name, Value string }
}

var errorTemplate = Template[failure]{Name: "error"}

func TestWhatStrangersWroteIsEscaped(t *testing.T) {
	nasty := `<script>alert(1)</script>"'&`
	data := failure{404, nasty, nasty, nasty, []struct{ Name, Value string }{{nasty, nasty}}}
	b, err := Render(errorTemplate.With(data), View{Site: nasty, Prefix: "/x", User: nasty, ID: nasty,
		Notice: i18n.Key(nasty)})
	if err != nil {
		t.Fatal(err)
	}
	if s := string(b); strings.Contains(s, "<script>") || strings.Count(s, "&lt;script&gt;") < 7 {
		t.Error(s)
	}
}

func TestAFailingPageSendsNothing(t *testing.T) {
	wrong := Template[int]{Name: "error"}
	if b, err := Render(wrong.With(1), View{}); err == nil || b != nil {
		t.Errorf("%q, %v", b, err)
	}
	missing := Template[int]{Name: "no-such-page"}
	if _, err := Render(missing.With(1), View{}); err == nil {
		t.Error("a page that isn't there was rendered")
	}
}

func TestAssetsChangeTheirAddressWithTheirContent(t *testing.T) {
	a, err := Asset("toaster.css")
	b, err2 := Asset("logo.svg")
	if err != nil || err2 != nil || a[len(a)-12:] == b[len(b)-12:] || !strings.HasPrefix(a, "/static/toaster.css?v=") {
		t.Error(a, b, err, err2)
	}
	if _, err := Asset("missing.css"); err == nil {
		t.Error("a missing asset has an address")
	}
}

func TestTheLogoIsWellFormed(t *testing.T) {
	logo, err := static.Files.Open("logo.svg")
	if err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(logo)
	for {
		if _, err := d.Token(); err != nil {
			if err.Error() != "EOF" {
				t.Error(err)
			}
			return
		}
	}
}

func TestSizesAndTimesForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 1: "1 byte", 1023: "1023 bytes", 1024: "1 KiB", 1536: "1.5 KiB",
		64 << 10: "64 KiB", 1<<20 - 1: "1 MiB", 5 << 30: "5 GiB", 1<<63 - 1: "8 EiB"} {
		if got := Bytes("en", n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0 s", -time.Second: "0 s", 59600 * time.Millisecond: "1 min",
		90 * time.Second: "1 min 30 s",
		3 * time.Hour:    "3 h", 3*time.Hour + 5*time.Second: "3 h", 36 * time.Hour: "36 h", 168 * time.Hour: "7 days",
		49 * time.Hour: "2 days 1 h"} {
		if got := strings.ReplaceAll(Length("en", d), "\u00a0", " "); got != want {
			t.Errorf("Length(%s) = %q, want %q", d, got, want)
		}
	}
	at := time.Date(2026, 11, 23, 5, 6, 7, 0, time.FixedZone("", 3600))
	if ISO(at) != "2026-11-23T04:06:07Z" || Day("en", at) != "23 Nov 2026, 04:06:07 UTC" {
		t.Error(ISO(at), Day("en", at))
	}
}

func TestSizesAndTimesInGerman(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	got := []string{Bytes("de", 1), Bytes("de", 100), Bytes("de", 1536), Exact("de", 1536), Length("de", 49*time.Hour),
		Day("de", at)}
	want := []string{"1 Byte", "100 Bytes", "1,5 KiB", "1536 Bytes", "2\u00a0Tage\u00a01\u00a0h",
		"4. März 2026, 05:06:07 UTC"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for m := time.January; m <= time.December; m++ {
		at := time.Date(2026, m, 1, 0, 0, 0, 0, time.UTC)
		if got, want := Day("de", at), "1. "+manners["de"].months[m-1]+" 2026, 00:00:00 UTC"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestCleanShowsWhatHides(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext\n":            "plain\ttext\n",
		"\x1b[1;31mred\x1b[0m":     "red",
		"\x1b]0;title\x07x":        "x",
		"\x1b]8;;http://a/\x1b\\x": "x",
		"10%\r20%\r\n":             "10%\n20%\n",
		"bell\x07 null\x00":        "bell␇ null␀",
		"\x1b":                     "␛",
		"\x1b[":                    "␛[",
		"rtl\u202eevil":            "rtl⟨U+202E⟩evil",
		"bad \xff byte":            "bad � byte",
		"umlaut ä, 漢字":             "umlaut ä, 漢字",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b[1;31mred\x1b]0;t\x07\r\n\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := Clean(s)
		for _, r := range got {
			if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r >= 0x202a && r <= 0x202e {
				t.Fatalf("Clean(%q) = %q", s, got)
			}
		}
		if Clean(got) != got {
			t.Fatalf("cleaning %q twice gives something else", s)
		}
	})
}
