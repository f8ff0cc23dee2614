package compile

import (
	"errors"
	"html/template"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

func source(page string) Source {
	files := fstest.MapFS{
		"layout.ace": {Data: []byte("= doctype html\nhtml\n  head\n    title\n      = yield title\n  body\n    = yield main\n")},
		"page.ace":   {Data: []byte(page)},
		"_part.ace":  {Data: []byte("b {{.}}\n")},
	}
	return Source{
		Read:  func(name string) ([]byte, error) { return fs.ReadFile(files, name) },
		Funcs: template.FuncMap{"fixed": strings.ToUpper, "said": strings.ToUpper},
		Fixed: map[string]func(string) (string, error){"fixed": func(s string) (string, error) {
			if s == "bad" {
				return "", errors.New("no such file")
			}
			return strings.ToUpper(s), nil
		}},
	}
}

func text(t *testing.T, page string) string {
	t.Helper()
	trees, err := source(page).trees("page")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, tree := range trees {
		all.WriteString(tree.Root.String())
	}
	return all.String()
}

func TestEachValueIsEscapedForItsPlace(t *testing.T) {
	got := text(t, "= content title\n  | {{.Title}}\n= content main\n  a href=\"{{.Prefix}}/jobs/{{.ID}}?q={{.Query}}\" title=\"{{.About}}\" {{.Name}}\n  = include _part .Sub\n")
	for _, want := range []string{"<title>{{.Title | _attr}}", `href="{{.Prefix | _url}}/jobs/{{.ID | _path}}?q={{.Query | _query}}"`, `title="{{.About | _attr}}"`, "{{.Name | _text}}", "<b>{{. | _text}}"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

func TestWhatNeverChangesIsText(t *testing.T) {
	got := text(t, "= content title\n  | x\n= content main\n  p {{\" < \"}}{{fixed \"a&b\"}} {{said \"c\"}}\n")
	if !strings.Contains(got, "<p> &lt; A&amp;B {{said ") {
		t.Error(got)
	}
}

func TestAValueThatNothingCanEscapeIsRefused(t *testing.T) {
	for page, want := range map[string]string{
		"= content title\n  | x\n= content main\n  p onclick=\"f({{.X}})\" x\n":      "no escaper",
		"= content title\n  | x\n= content main\n  p {{fixed \"bad\"}}\n":            "no such file",
		"= content title\n  | x\n= content main\n  p {{if .X}}<a {{else}}b{{end}}\n": "branches",
		"= content title\n  | x\n= content main\n  p {{nothing .X}}\n":               "not defined",
	} {
		if _, err := source(page).Page("page"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", page, err, want)
		}
	}
}
