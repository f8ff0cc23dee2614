package compile

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"text/template"
	"text/template/parse"
	"time"

	"toaster.do/lib/view/compiled"
)

// What the templates below see.
type build struct {
	Number int
	State  state
	Ended  time.Time
	Size   int64
	Err    error
	secret int
}

type state string

func (s state) Bad() bool                  { return s == "failed" }
func (b *build) Open() bool                { return b.Ended.IsZero() }
func (b build) After(t time.Time) bool     { return b.Ended.After(t) }
func (b build) Fault(name string) string   { return map[string]string{"a": "<wrong>"}[name] }
func (b build) Fails() (string, error)     { return "", errors.New("it fails") }
func (b build) Sum(list ...int) (sum int)  { return len(list) + b.Number + b.secret }
func (b build) Since(d time.Duration) bool { return d > 0 }

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func data() map[string]any {
	one := &build{Number: 1, State: "failed", Ended: now, Size: 2048, Err: errors.New("<e>")}
	return map[string]any{
		"Builds": []*build{one, {Number: 2, State: "running"}}, "One": one, "Value": *one, "None": (*build)(nil), "Nil": nil, "Name": "a <b> & 'c'", "Empty": "",
		"Day": map[string]int{"b": 2, "a": 1}, "Zero": 0, "Two": 2, "True": true, "Any": []any{1, "x", nil, one}, "Now": now, "States": [2]state{"x", "y"},
		"Nested": map[string]map[string]string{"in": {"er": "deep"}}, "Long": time.Minute, "Page": struct{ Data any }{one},
	}
}

func functionsOf() map[string]any {
	funcs := map[string]any{
		"t": func(v any) string { return "T" + compiled.Escaped(compiled.InAttr, v) }, "up": strings.ToUpper, "bytes": func(n int64) string { return time.Duration(n).String() },
		"iso": func(t time.Time) string { return t.Format(time.RFC3339) }, "length": time.Duration.String, "list": func(v ...any) []any { return v },
		"bad": func(string) (string, error) { return "", errors.New("bad") },
	}
	for place, name := range places {
		funcs[name] = func(v any) string { return compiled.Escaped(byte(place), v) }
	}
	return funcs
}

// both runs a template by text/template and as a program; ok is false where it is none, or nothing that we can compile.
func both(t *testing.T, text string) (want, got string, wanted, err error, ok bool) {
	set, parsed := template.New("page").Funcs(functionsOf()).Parse(text)
	if parsed != nil || set.Tree == nil {
		return
	}
	trees := []*parse.Tree{set.Tree}
	for _, part := range set.Templates() {
		if part.Name() != "page" {
			trees = append(trees, part.Tree)
		}
	}
	program, compileError := encode(trees)
	if compileError != nil {
		return
	}
	var b strings.Builder
	seen := data()
	wanted = set.Execute(&b, seen)
	page, err := compiled.Load(string(program)).Run(seen, functionsOf())
	return b.String(), string(page), wanted, err, true
}

// A program says what text/template would, and fails where text/template fails.
var samples = []string{
	`plain`, `{{define "row"}}<li>{{.Number | _text}} {{$.Number | _attr}}{{end}}{{range .Builds}}{{template "row" .}}{{end}}`,
	`{{range $i, $b := .Builds}}{{if $i}}, {{end}}{{$b.Number | _text}}{{else}}none{{end}}`, `{{range .Nothing}}x{{else}}none{{end}}`,
	`{{range $k, $v := .Day}}{{$k | _text}}={{$v | _text}};{{end}}`, `{{range .Any}}{{. | _text}};{{end}}`, `{{range $s := .States}}{{if $s.Bad}}!{{end}}{{t $s | _text}}{{end}}`,
	`{{with .One}}{{.State | _text}}{{with .Err}}{{. | _text}}{{end}}{{$.Name | _attr}}{{else}}no{{end}}`, `{{with .None}}x{{else}}{{.Name | _text}}{{end}}`, `{{with .Nil}}x{{end}}`,
	`{{if and .One .One.Open}}open{{else if or .Zero .Empty .Two}}two{{end}}`, `{{if not .Value.Ended.IsZero}}{{iso .Value.Ended | _text}}{{end}}`,
	`{{if and .Nil .Nil.Number}}x{{else}}short{{end}}`, `{{eq .Two 2 | _text}}{{ne .Name "x" | _text}}{{lt .Zero 1 | _text}}{{le 1 .Two | _text}}{{gt (len .Builds) 1 | _text}}{{ge .Two 3 | _text}}`,
	`{{eq .Value.State "failed" | _text}}{{eq "x" "y" "x" | _text}}{{eq .True true | _text}}`, `{{eq .Two "2" | _text}}`, `{{index .Day "b" | _text}}{{index .Any 1 | _text}}{{(index .Builds 1).Number | _text}}`,
	`{{index .Day "zz" | _text}}{{index .Any 9 | _text}}`, `{{.Value.Fault "a" | _text}}{{if .Value.Fault "b"}}b{{end}}`, `{{.One.After .Now | _text}}{{.Now.After .One.Ended | _text}}{{.Page.Data.After $.Now | _text}}`,
	`{{length (.One.Ended.Sub .Now) | _text}}{{length .Long | _text}}{{bytes .One.Size | _text}}`, `{{up .Name | up | _query}}`, `{{.Name | _url}}{{.Name | _path}}{{.Two | _query}}{{.Long | _text}}`,
	`{{$x := .Two}}{{if true}}{{$x := "in"}}{{$x | _text}}{{end}}{{$x | _text}}`, `{{.Nested.in.er | _text}}{{.Nested.out.er | _text}}{{.nope | _text}}`, `{{.One.Fails | _text}}`, `{{bad "x" | _text}}`, `{{.One.secret | _text}}`,
	`{{.One.Nope | _text}}`, `{{.None.Number | _text}}`, `{{.Name.Number | _text}}`, `{{.One.Sum 1 2 3 | _text}}{{.One.Sum | _text}}`, `{{range list 1 "a" nil .Two}}{{. | _text}},{{end}}`, `{{len .Name | _text}}`, `{{t .Nil | _text}}`,
	`{{up .Two | _text}}`, `{{iso .Name | _text}}`, `{{up | _text}}`, `{{up "a" "b" | _text}}`, `{{.Name 1 | _text}}`, `{{range .Two}}x{{end}}`, `{{template "row"}}`, `{{define "e"}}[{{. | _text}}]{{end}}{{template "e"}}{{template "e" .Two}}`,
	`{{.Value.Open | _text}}`, `{{.One.Since .Long | _text}}`, `{{if .Nested.in}}yes{{end}}{{if .Now}}yes{{end}}{{if .One.Err}}yes{{end}}{{if .Value.Err}}yes{{end}}`, `{{len .Nil | _text}}`, `{{not 0 | _text}}`,
	`{{with $.Builds}}{{len . | _text}}{{end}}`, `{{(.One).Number | _text}}`, `{{nil | _text}}`, `{{true | _text}}`, `{{"a<b" | _text}}`, `{{and 1 0 2 | _text}}{{or 0 "" "x" | _text}}`,
}

func same(t *testing.T, text string) (compared bool) {
	want, got, wanted, err, ok := both(t, text)
	if !ok {
		return false
	}
	if (wanted == nil) != (err == nil) || err == nil && got != want {
		t.Errorf("%s:\n%s, %v\nnot\n%s, %v", text, got, err, want, wanted)
	}
	return true
}

func TestProgramsSayWhatTextTemplateSays(t *testing.T) {
	for _, text := range samples {
		if !same(t, text) && !strings.Contains(text, `{{template "row"}}`) && !strings.Contains(text, "nil | ") {
			t.Errorf("%s was not compiled", text)
		}
	}
}

func FuzzPrograms(f *testing.F) {
	for _, text := range samples {
		f.Add(text)
	}
	large := regexp.MustCompile(`[0-9a-fA-Fxob_']{4}`)
	f.Fuzz(func(t *testing.T, text string) {
		if !large.MatchString(text) { // a range over a large number takes long
			same(t, text)
		}
	})
}

func TestWhatCantBeCompiledIsSaid(t *testing.T) {
	for _, text := range []string{"{{$x := 1}}{{$x = 2}}", "{{-1 | _text}}", "{{1.5 | _text}}", "{{range .Builds}}{{break}}{{end}}", "{{range .Builds}}{{continue}}{{end}}", "{{.Name}}", `{{printf "%d" 1 | _text}}`, "{{with $x := .One}}{{end}}"} {
		if _, _, _, _, ok := both(t, text); ok {
			t.Errorf("%s was compiled", text)
		}
	}
}
