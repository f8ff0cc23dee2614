package compiled

import (
	"bytes"
	"errors"
	"html/template"
	"strings"
	"testing"
	texttemplate "text/template"
	"text/template/parse"
	"time"
)

// places are a template for each place that a value can stand in, and the escaper that is ours there.
var places = map[string]string{
	"_text":  "<p>{{.}}</p>",
	"_attr":  `<p title="{{.}}">`,
	"_url":   `<a href="{{.}}">`,
	"_path":  `<a href="/jobs/{{.}}">`,
	"_query": `<a href="/jobs?q={{.}}">`,
}

func same(t *testing.T, v any) {
	t.Helper()
	for name, text := range places {
		var want bytes.Buffer
		if err := template.Must(template.New("").Parse(text)).Execute(&want, v); err != nil {
			t.Fatal(err)
		}
		before, after, _ := strings.Cut(text, "{{.}}")
		if got := before + Escapers[name].(func(any) string)(v) + after; got != want.String() {
			t.Errorf("%s of %#v:\n%s\n%s", name, v, got, want.String())
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
	if got := Text(template.HTML("<b>")); got != "<b>" {
		t.Error(got)
	}
	if got := Escapers["_attr"].(func(any) string)(template.HTML(`"<b>`)); got != "&#34;&lt;b&gt;" {
		t.Error(got)
	}
}

func FuzzEscapers(f *testing.F) {
	for _, s := range []string{"", "a<b>\"c\"&'+", "javascript:x", "http:x", "a/b:c", "%41%zz", "\x00\xf0\x9f", "é ü"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { same(t, s) })
}

const sample = `{{define "row"}}<li>{{. | _text}}{{end}}{{define "empty"}}{{end -}}
<ul>{{range $i, $x := .List}}{{if eq $i 2}}{{break}}{{else if and $x (gt (len $x) 1)}}{{template "row" $x}}{{else}}{{continue}}{{end}}{{else}}none{{end}}</ul>
{{- with $.Sub}}{{.Name.Short | _attr}}{{(index $.List 0) | printf "%s%d%t" "x" 1 true | _text}}{{end}}{{template "empty" .}}{{template "row"}}`

func parsed(t testing.TB, text string) []*parse.Tree {
	set, err := texttemplate.New("page").Funcs(Escapers).Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	trees := []*parse.Tree{set.Tree}
	for _, part := range set.Templates() {
		if part.Name() != "page" {
			trees = append(trees, part.Tree)
		}
	}
	return trees
}

func TestWhatIsDecodedIsWhatWasEncoded(t *testing.T) {
	trees := parsed(t, sample)
	b, err := Encode(trees)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(b)
	if err != nil || len(back) != len(trees) {
		t.Fatal(back, err)
	}
	again, err := Encode(back)
	if err != nil || !bytes.Equal(again, b) {
		t.Errorf("%q\n%q, %v", again, b, err)
	}
	for _, data := range []any{
		map[string]any{"List": []string{"<a>", "bc", "d"}, "Sub": map[string]any{"Name": map[string]string{"Short": "\"s"}}},
		map[string]any{"List": nil},
	} {
		if got, want := run(t, back, data), run(t, trees, data); got != want || !strings.Contains(got, "<ul>") {
			t.Errorf("%s\n%s", got, want)
		}
	}
}

func run(t *testing.T, trees []*parse.Tree, data any) string {
	set := texttemplate.New(trees[0].Name).Funcs(Escapers)
	for _, tree := range trees {
		if _, err := set.AddParseTree(tree.Name, tree); err != nil {
			t.Fatal(err)
		}
	}
	var b strings.Builder
	if err := set.Execute(&b, data); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWhatCantBeEncodedIsSaid(t *testing.T) {
	for _, text := range []string{"{{$x := 1}}{{$x = 2}}", "{{-1}}", "{{1.5}}"} {
		if b, err := Encode(parsed(t, text)); err == nil {
			t.Errorf("%s: %q", text, b)
		}
	}
}

func FuzzDecode(f *testing.F) {
	b, err := Encode(parsed(f, sample))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if trees, err := Decode(b); err == nil && len(trees) == 0 {
			t.Error("no page, and no error")
		}
	})
}
