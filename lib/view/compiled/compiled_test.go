package compiled

import (
	"bytes"
	"errors"
	"html/template"
	"strings"
	"testing"
	"time"
)

// places are a template for each place that a value can stand in, and the escaper that is ours there.
var places = []string{
	InText:  "<p>{{.}}</p>",
	InAttr:  `<p title="{{.}}">`,
	InURL:   `<a href="{{.}}">`,
	InPath:  `<a href="/jobs/{{.}}">`,
	InQuery: `<a href="/jobs?q={{.}}">`,
}

func same(t *testing.T, v any) {
	t.Helper()
	for place, text := range places {
		var want bytes.Buffer
		if err := template.Must(template.New("").Parse(text)).Execute(&want, v); err != nil {
			t.Fatal(err)
		}
		before, after, _ := strings.Cut(text, "{{.}}")
		if got := before + Escaped(byte(place), v) + after; got != want.String() {
			t.Errorf("%s of %#v:\n%s\n%s", text, v, got, want.String())
		}
	}
}

func TestEscapersAreThoseOfHTMLTemplate(t *testing.T) {
	s, n := "a <b> & 'c'", 7
	type state string
	var none *string
	for _, v := range []any{s, &s, n, &n, none, nil, true, 1.5, state("<x>"), errors.New("<y>"), time.Second, []string{"<", "+"}, template.URL(s),
		"javascript:alert(1)", "JavaScript://x", "http://x/?a=1&b=2#c", "mailto:a+b@x", "/a:b", "%2f%zz%", "ä\x00\xff", "", "?q=a b"} {
		if _, ok := v.(template.URL); !ok { // nobody vouches for an address
			same(t, v)
		}
	}
	if got := Escaped(InText, template.HTML("<b>")); got != "<b>" {
		t.Error(got)
	}
	if got := Escaped(InAttr, template.HTML(`"<b>`)); got != "&#34;&lt;b&gt;" {
		t.Error(got)
	}
}

func FuzzEscapers(f *testing.F) {
	for _, s := range []string{"", "a<b>\"c\"&'+", "javascript:x", "http:x", "a/b:c", "%41%zz", "\x00\xf0\x9f", "é ü"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { same(t, s) })
}
