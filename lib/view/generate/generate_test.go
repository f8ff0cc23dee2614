package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"html/template"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"

	"toaster.do/lib/view"
)

// TestPagesAreThoseOfHTMLTemplate generates everything and runs the tests in the packages, which
// compare each page in each language, with many values, hostile ones among them.
func TestPagesAreThoseOfHTMLTemplate(t *testing.T) {
	dir := t.TempDir()
	if err := generate(dir, true); err != nil {
		t.Fatal(err)
	}
	packages, err := load(patterns...)
	if err != nil || len(packages) == 0 {
		t.Fatal(packages, err)
	}
	tags := "pages,judge"
	for flag := range strings.FieldsSeq(os.Getenv("GOFLAGS")) {
		if more, ok := strings.CutPrefix(flag, "-tags="); ok {
			tags += "," + more
		}
	}
	args := []string{"test", "-vet=off", "-v", "-tags", tags, "-overlay", dir + "/overlay.json", "-run", "^TestPages$"}
	pages := 0
	for _, p := range packages {
		args, pages = append(args, p.path), pages+len(p.templates)
	}
	out, err := exec.Command("go", args...).CombinedOutput()
	if same := strings.Count(string(out), "--- PASS: TestPages/"); err != nil || same != pages {
		t.Errorf("%d of %d pages are html/template's: %v\n%s", same, pages, err, out)
	}
}

const sample = `package p

type Data struct {
	Title, Name, ID, Query, About string
	Good, Fine  bool
	N           int
	List        []Row
	Days        map[string]int
	Last        *Row
	hidden      string
}

type Row struct{ State State }

type State string

func (d Data) Find(name string) *Row     { return nil }
func (r *Row) Bad(of string, n int) bool { return false }
func (r *Row) Fails() (string, error)    { return "", nil }
func (s State) Open() bool               { return true }
`

// compile is the body of the function that a page becomes, of a Data.
func compile(t *testing.T, page string) (string, error) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "p.go", sample, 0)
	if err != nil {
		t.Fatal(err)
	}
	in, err := new(types.Config).Check("p", set, []*ast.File{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{
		"layout.ace": {Data: []byte("html\n  head\n    title\n      = yield title\n  body\n    = yield main\n")},
		"page.ace":   {Data: []byte("= content title\n  | {{.Data.Title}}\n= content main\n  " + page + "\n")},
		"_part.ace":  {Data: []byte("b {{.name}}{{if .fault}}{{.fault}}{{end}}\n")},
	}
	nothing := func(...any) string { return "" }
	funcs := template.FuncMap{"asset": nothing, "t": nothing, "set": nothing, "unknown": nothing}
	tree, err := view.Parse(func(name string) ([]byte, error) { return fs.ReadFile(files, name) }, "page", funcs)
	if err != nil {
		return "", err
	}
	f := &function{lang: "en", in: in, imports: map[string]bool{}}
	err = f.page(tree, in.Scope().Lookup("Data").Type())
	return f.body.String(), err
}

func TestTemplatesBecomeGo(t *testing.T) {
	for _, c := range []struct {
		page string
		want []string
	}{
		{`a href="{{.Prefix}}/jobs/{{.Data.ID}}?q={{.Data.Query}}" title="{{.Data.About}}" {{.Data.Name}}`,
			[]string{`w.URL(v.Prefix)`, `w.Path(d.ID)`, `w.Query(d.Query)`, `w.Text(d.About)`, `w.Text(d.Name)`}},
		{`p {{" < "}}{{t "x&y"}} {{.Data.N}}`, []string{`<p> &lt; x&amp;y ")`, `w.Int(int64(d.N))`}},
		{`p {{if and .Data.Name (not .Data.Good)}}x{{else}}y{{end}}`, []string{`if (d.Name != "" && !(d.Good)) {`}},
		{`p {{if eq .Lang "de"}}x{{else}}y{{end}}`, []string{`<p>y</p>`}},
		{`p {{if eq .Data.N 1 2}}x{{end}}`, []string{`if (d.N == 1 || d.N == 2) {`}},
		{`p {{range .Data.List}}{{if .State.Open}}{{.State}}{{end}}{{end}}`,
			[]string{`x2 := &d.List[i1]`, `if x2.State.Open() {`, `w.Text(string(x2.State))`}},
		{`p {{range .Data.List}}x{{else}}none{{end}}`, []string{`for range d.List {`, `if len(d.List) == 0 {`}},
		{`| {{range $day, $n := .Data.Days}}{{$day}}{{$n}}{{end}}`,
			[]string{`range slices.Sorted(maps.Keys(d.Days))`, `x2 := d.Days[i1]`, `w.Text(i1)`, `w.Int(int64(x2))`}},
		{`p {{with .Data.Last}}{{if .Bad "x" $.Data.N}}!{{end}}{{end}}`,
			[]string{`if d.Last != nil {`, `if d.Last.Bad("x", d.N) {`}},
		{`p {{with .Data.Find "x"}}{{.State}}{{end}}`,
			[]string{`x1 := d.Find("x")`, `if x1 != nil {`, `w.Text(string(x1.State))`}},
		{`p {{index .Data.Days "x"}}{{len .Data.List}}{{(index .Data.List 0).State}}`,
			[]string{`w.Int(int64(d.Days["x"]))`, `w.Int(int64(len(d.List)))`, `w.Text(string(d.List[0].State))`}},
		{`= include _part set "name" "<b>" "fault" nil`, []string{`<b>&lt;b&gt;</b>`}},
		{`p data-more="{{and .Data.Good .Data.Fine}}"`, []string{`w.Bool((d.Good && d.Fine))`}},
	} {
		body, err := compile(t, c.page)
		if err != nil {
			t.Errorf("%s: %v", c.page, err)
		}
		for _, want := range c.want {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %s in\n%s", c.page, want, body)
			}
		}
	}
}

func TestWhatCannotBecomeGoIsRefused(t *testing.T) {
	for page, want := range map[string]string{
		`p onclick="f({{.Data.Name}})" x`:        "no escaper",
		`p {{if .Data.Good}}<a {{else}}b{{end}}`: "branches",
		`p {{asset "missing"}}`:                  "file does not exist",
		`p {{asset .Data.Name}}`:                 "a text in quotes is needed",
		`p {{unknown .Data.Name}}`:               "no function unknown",
		`p {{.Data.Nope}}`:                       "p.Data has no Nope",
		`p {{.Nope}}`:                            "there is no Nope",
		`p {{.Data.hidden}}`:                     "has no hidden",
		`p {{.Data.Name.More}}`:                  "string has no More",
		`p {{.Data.Last.Fails}}`:                 "wrong arguments",
		`p {{.Data.Last.Bad "x"}}`:               "wrong arguments",
		`p {{.Data.Name "x"}}`:                   "wrong arguments",
		`p {{.Data.Last.Bad 1 1}}`:               "is no string",
		`p {{.Data.Last.Bad "x" .Data.Name}}`:    "string is no int",
		`p {{.Data.List}}`:                       "can't be printed",
		`p {{and .Data.Name .Data.About}}`:       "can't be printed",
		`p {{range .Data.Name}}x{{end}}`:         "is no list",
		`p {{eq .Data.List .Data.List}}`:         "can't be compared",
		`p {{index .Data.N 1}}`:                  "has no elements",
		`| {{$x := .Data.N}}{{$x}}`:              "only range can set",
		`| {{if $x := .Data.N}}{{$x}}{{end}}`:    "only range can set",
		`p {{range .Data.List}}{{break}}{{end}}`: "can't be translated",
		`p {{printf "%d" .Data.N}}`:              "wrong arguments",
		`p {{nil}}`:                              "can't be printed",
		`p {{t .Data.Name}}`:                     "is no text that can be translated",
	} {
		if body, err := compile(t, page); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s\n%s", page, err, want, body)
		}
	}
}

func TestTemplatesThatNoPackageDeclaresAreNamed(t *testing.T) {
	err := checkComplete([]*goPackage{{templates: []declared{{name: "login"}}}})
	if err == nil || !strings.Contains(err.Error(), "templates/jobs.ace") || strings.Contains(err.Error(), "login") {
		t.Error(err)
	}
}
