package view

import (
	"bytes"
	"html/template"
	"strings"
	"testing"
)

// contexts are a template for each context, and the method for it.
var contexts = map[string]func(*Writer, string){
	"<p>{{.}}</p>":               (*Writer).Text,
	"<title>{{.}}</title>":       (*Writer).Text,
	"<textarea>{{.}}</textarea>": (*Writer).Text,
	`<p title="{{.}}">`:          (*Writer).Text,
	`<a href="{{.}}">`:           (*Writer).URL,
	`<a href="/jobs/{{.}}">`:     (*Writer).Path,
	`<a href="/jobs?q={{.}}">`:   (*Writer).Query,
}

func same(t *testing.T, s string) {
	t.Helper()
	for text, write := range contexts {
		var want bytes.Buffer
		if err := template.Must(template.New("").Parse(text)).Execute(&want, s); err != nil {
			t.Fatal(err)
		}
		before, after, _ := strings.Cut(text, "{{.}}")
		var w Writer
		w.HTML(before)
		write(&w, s)
		w.HTML(after)
		if w.String() != want.String() {
			t.Errorf("%s of %q:\n%s\n%s", text, s, w.String(), want.String())
		}
	}
}

var hostile = []string{
	"", "a <b> & 'c'", `" onmouseover="alert(1)`, "</title><script>alert(1)</script>", "-7", "+", "\r\n",
	"javascript:alert(1)", "JavaScript://x", "\tjavascript:x", "data:text/html,x", "mailto:a+b@x", "/a:b", "%2f%zz%",
	"http://x/?a=1&b=2#c", "ä\x00\xff", "?q=a b", "é ü", "'';!--\"<XSS>=&{()}",
}

func TestWriterEscapesAsHTMLTemplateDoes(t *testing.T) {
	for _, s := range hostile {
		same(t, s)
	}
}

func FuzzWriter(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { same(t, s) })
}
