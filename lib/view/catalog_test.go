package view

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"toaster.do/static"
	"toaster.do/templates"
)

const english = "../../templates/messages/en.txt"

// TestEveryMessageIsInEveryLanguage: en.txt lists what the templates and programs say, and each other file has words
// for all of it. After a change of texts: UPDATE=1 go test ./lib/view -run TestEveryMessage writes en.txt anew.
func TestEveryMessageIsInEveryLanguage(t *testing.T) {
	said := map[string]bool{}
	each(t, func(t *testing.T, name, text string) {
		for _, s := range messages(text) {
			said[s.text] = true
		}
		for _, m := range quoted.FindAllStringSubmatch(text, -1) {
			said[m[1]] = true
		}
	})
	for _, text := range keysOfPrograms(t) {
		said[text] = true
	}
	list := slices.Sorted(maps.Keys(said))
	want := "# What toaster says, made by a test (lib/view/catalog_test.go). In a translation, what replaces a line " +
		"stands below it after a tab.\n" + strings.Join(list, "\n") + "\n"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(english, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(english); err != nil || string(got) != want {
		t.Error("en.txt is not what is said now: UPDATE=1 go test ./lib/view -run TestEveryMessage")
	}
	for _, lang := range Languages[1:] {
		text, err := templates.Messages.ReadFile("messages/" + lang + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		checkTranslation(t, lang, string(text), said)
	}
}

// quoted are texts in attributes that a script reads: {{t "…"}}.
var quoted = regexp.MustCompile(`\{\{t "([^"\\]*)"\}\}`)

func checkTranslation(t *testing.T, lang, text string, said map[string]bool) {
	has := map[string]bool{}
	line := ""
	for l := range strings.Lines(text) {
		l = strings.TrimRight(l, "\n")
		other, indented := strings.CutPrefix(l, "\t")
		switch {
		case l == "" || strings.HasPrefix(l, "#"):
		case !indented:
			line = l
			if !said[line] {
				t.Errorf("%s: nobody says %q any more", lang, line)
			}
		default:
			if has[line] {
				t.Errorf("%s: %q is there twice", lang, line)
			}
			has[line] = true
			if n := strings.Count(line, "%s"); n > 0 {
				checkArguments(t, line, other, n)
			} else if a, b := fields(line), fields(other); a != b {
				t.Errorf("%s: %q\nputs in %s\nnot     %s", lang, line, b, a)
			}
		}
	}
	for _, s := range slices.Sorted(maps.Keys(said)) {
		if !has[s] {
			t.Errorf("%s has no words for %q", lang, s)
		}
	}
}

// actions of a template, and what programs put in.
var actions = regexp.MustCompile(`\{\{.*?\}\}`)

var control = regexp.MustCompile(`^\{\{(if|else|range|with) `)

// checkArguments sees to it that a translation puts each argument in once; their order may be its own.
func checkArguments(t *testing.T, line, other string, n int) {
	var args []any
	for i := range n {
		args = append(args, fmt.Sprintf("<%d>", i))
	}
	got := fmt.Sprintf(other, args...)
	for _, a := range args {
		if strings.Count(got, a.(string)) != 1 || strings.Contains(got, "%!") {
			t.Errorf("%q\nputs in other values: %q", line, other)
			return
		}
	}
}

// fields are the values that a message of a template puts in; a translation may change their order, and use them more
// than once.
func fields(s string) string {
	var list []string
	for _, a := range actions.FindAllString(s, -1) {
		if !strings.Contains(a, `"`) && strings.ContainsAny(a, ".$") && !control.MatchString(a) {
			list = append(list, a)
		}
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), " ")
}

// TestEveryWordOfScriptsIsInEveryLanguage: what a script says, by say("…"), is in static/words.LANGUAGE.js.
func TestEveryWordOfScriptsIsInEveryLanguage(t *testing.T) {
	calls := regexp.MustCompile(`\bsay\(("(?:[^"\\]|\\.)*")`)
	said := map[string]bool{}
	names, err := static.Files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range names {
		if !strings.HasSuffix(f.Name(), ".js") || strings.HasPrefix(f.Name(), "words.") {
			continue
		}
		text, _ := static.Files.ReadFile(f.Name())
		if !strings.Contains(string(text), "window.words") { // its texts are the page's
			continue
		}
		for _, m := range calls.FindAllSubmatch(text, -1) {
			said[string(m[1])] = true
		}
	}
	if len(said) < 10 {
		t.Error("the scripts say next to nothing:", said)
	}
	entry := regexp.MustCompile(`(?m)^  ("(?:[^"\\]|\\.)*"): ("(?:[^"\\]|\\.)*"),$`)
	for _, lang := range Languages[1:] {
		text, err := static.Files.ReadFile("words." + lang + ".js")
		if err != nil {
			t.Fatal(err)
		}
		has := map[string]bool{}
		for _, m := range entry.FindAllStringSubmatch(string(text), -1) {
			has[m[1]] = true
			if !said[m[1]] {
				t.Errorf("words.%s.js: no script says %s any more", lang, m[1])
			}
			if strings.Count(m[1], "%s") != strings.Count(m[2], "%s") {
				t.Errorf("words.%s.js: %s puts in something else than %s", lang, m[2], m[1])
			}
		}
		for s := range said {
			if !has[s] {
				t.Errorf("words.%s.js has no words for %s", lang, s)
			}
		}
	}
}
