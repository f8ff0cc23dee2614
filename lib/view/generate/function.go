package main

import (
	"errors"
	"fmt"
	"go/constant"
	"go/types"
	"html/template"
	"maps"
	"regexp"
	"strings"
	"text/template/parse"

	"toaster.do/lib/view"
)

// function is a page as a Go function in one language. Parts of the page are written in place.
type function struct {
	lang    string
	in      *types.Package  // the package that gets it
	imports map[string]bool // paths that it needs
	parts   map[string]*parse.Tree
	body    strings.Builder
	html    view.Writer // HTML that is not in the body yet
	names   int         // local variables so far
}

// scope is what an action of a template can use.
type scope struct {
	dot       value
	variables map[string]value
}

func (s scope) with(name string, v value) scope {
	variables := maps.Clone(s.variables)
	variables[name] = v
	return scope{s.dot, variables}
}

// failure is the panic value of fail, which page turns into an error.
type failure struct{ error }

func fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

var errArguments = errors.New("wrong arguments")

// page writes the function's body: a template with data of a type.
func (f *function) page(t *template.Template, data types.Type) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case failure:
			err = p.error
		default:
			panic(p)
		}
	}()
	if f.parts, err = trees(t); err != nil {
		return err
	}
	dot := map[string]value{
		"Data":   {code: "d", of: data},
		"Lang":   known(constant.MakeString(f.lang)),
		"Admin":  {code: "v.Admin", of: types.Typ[types.Bool]},
		"Notice": {code: "v.Notice", of: keyType},
	}
	for _, name := range []string{"Site", "Prefix", "User", "Here", "ID"} {
		dot[name] = value{code: "v." + name, of: types.Typ[types.String]}
	}
	f.part(f.parts[t.Name()], value{record: dot})
	f.flush()
	return nil
}

func (f *function) part(t *parse.Tree, data value) {
	f.list(t.Root, scope{data, map[string]value{"$": data}})
}

// emit adds a line of code, after the HTML that comes before it.
func (f *function) emit(format string, args ...any) {
	f.flush()
	fmt.Fprintf(&f.body, format+"\n", args...)
}

func (f *function) flush() {
	if html := f.html.String(); html != "" {
		f.html = view.Writer{}
		fmt.Fprintf(&f.body, "w.HTML(%q)\n", html)
	}
}

// block returns the code that write emits, and leaves the body as it was.
func (f *function) block(write func()) string {
	f.flush()
	outer := f.body.String()
	f.body.Reset()
	write()
	f.flush()
	inner := f.body.String()
	f.body.Reset()
	f.body.WriteString(outer)
	return inner
}

func (f *function) name(prefix string) string {
	f.names++
	return fmt.Sprint(prefix, f.names)
}

func (f *function) list(l *parse.ListNode, s scope) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.TextNode:
			f.html.HTML(string(n.Text))
		case *parse.ActionNode:
			f.action(n.Pipe, s)
		case *parse.IfNode:
			f.choose(f.pipe(n.Pipe, s), func() { f.list(n.List, s) }, func() { f.list(n.ElseList, s) })
		case *parse.WithNode:
			f.with(n, s)
		case *parse.RangeNode:
			f.loop(n, s)
		case *parse.TemplateNode:
			f.call(n, s)
		default:
			fail("%s can't be translated", n)
		}
	}
}

// choose emits an if statement, or one of its branches where the condition is known.
func (f *function) choose(v value, yes, no func()) {
	condition, fixed := v.truth()
	if fixed {
		if condition == "true" {
			yes()
		} else {
			no()
		}
		return
	}
	first, second := f.block(yes), f.block(no)
	switch {
	case first == "" && second == "":
	case first == "":
		f.emit("if !(%s) {\n%s}", condition, second)
	case second == "":
		f.emit("if %s {\n%s}", condition, first)
	default:
		f.emit("if %s {\n%s} else {\n%s}", condition, first, second)
	}
}

func (f *function) with(n *parse.WithNode, s scope) {
	f.bind(f.pipe(n.Pipe, s), func(v value) {
		inner := scope{v, s.variables}
		f.choose(v, func() { f.list(n.List, inner) }, func() { f.list(n.ElseList, s) })
	})
}

// bind emits what write makes of a value. A value that has to be computed gets a variable, if it is
// used at all.
func (f *function) bind(v value, write func(value)) {
	if v.constant != nil || v.record != nil || !strings.Contains(v.code, "(") {
		write(v)
		return
	}
	name := f.name("x")
	code := f.block(func() { write(value{code: name, of: v.of}) })
	if uses(code, name) {
		code = "{\n" + name + " := " + v.code + "\n" + code + "}\n"
	}
	f.flush()
	f.body.WriteString(code)
}

func uses(code, name string) bool {
	return regexp.MustCompile(`\b` + name + `\b`).MatchString(code)
}

// loop emits a for statement.
func (f *function) loop(n *parse.RangeNode, s scope) {
	f.bind(f.commands(n.Pipe.Cmds, s), func(all value) {
		e := f.elements(all)
		inner := scope{e.value, s.variables}
		switch d := n.Pipe.Decl; len(d) {
		case 1:
			inner = inner.with(d[0].Ident[0], e.value)
		case 2:
			inner = inner.with(d[0].Ident[0], e.key).with(d[1].Ident[0], e.value)
		}
		code := f.block(func() { f.list(n.List, inner) })
		switch {
		case uses(code, e.value.code):
			f.emit("for %s {\n%s\n%s}", e.clause, e.get, code)
		case uses(code, e.key.code):
			f.emit("for %s {\n%s}", e.clause, code)
		default:
			f.emit("for range %s {\n%s}", all.code, code)
		}
		if otherwise := f.block(func() { f.list(n.ElseList, s) }); otherwise != "" {
			f.emit("if len(%s) == 0 {\n%s}", all.code, otherwise)
		}
	})
}

// elements are the variables of a loop over a slice or a map, and the code that sets them.
type elements struct {
	key, value  value
	clause, get string
}

func (f *function) elements(all value) (e elements) {
	key, name := f.name("i"), f.name("x")
	element := all.code + "[" + key + "]"
	if all.of != nil {
		switch of := all.of.Underlying().(type) {
		case *types.Slice:
			e.key, e.value = value{code: key, of: types.Typ[types.Int]}, value{code: name, of: of.Elem()}
			e.clause = key + " := range " + all.code
			if _, ok := of.Elem().Underlying().(*types.Struct); ok {
				e.value.of, element = types.NewPointer(of.Elem()), "&"+element
			}
		case *types.Map:
			f.imports["maps"], f.imports["slices"] = true, true
			e.key, e.value = value{code: key, of: of.Key()}, value{code: name, of: of.Elem()}
			e.clause = "_, " + key + " := range slices.Sorted(maps.Keys(" + all.code + "))"
		}
	}
	if e.clause == "" {
		fail("%v is no list", all.of)
	}
	e.get = name + " := " + element
	return e
}

// call emits a part of the page, which can use only the value that it is called with.
func (f *function) call(n *parse.TemplateNode, s scope) {
	part := f.parts[n.Name]
	if part == nil || n.Pipe == nil {
		fail("%s can't be called here", n.Name)
	}
	data := f.pipe(n.Pipe, s)
	if data.record == nil {
		f.bind(data, func(v value) { f.part(part, v) })
		return
	}
	f.bindAll(data.record, sortedKeys(data.record), func() { f.part(part, data) })
}

// bindAll binds the named values of a record.
func (f *function) bindAll(record map[string]value, names []string, write func()) {
	if len(names) == 0 {
		write()
		return
	}
	f.bind(record[names[0]], func(v value) {
		record[names[0]] = v
		f.bindAll(record, names[1:], write)
	})
}

// writers are the methods of view.Writer that do what a sequence of html/template's escapers does.
var writers = map[string]string{
	"_html_template_htmlescaper":   "Text",
	"_html_template_rcdataescaper": "Text",
	"_html_template_attrescaper":   "Text",
	"_html_template_urlfilter _html_template_urlnormalizer _html_template_attrescaper": "URL",
	"_html_template_urlnormalizer _html_template_attrescaper":                          "Path",
	"_html_template_urlescaper _html_template_attrescaper":                             "Query",
}

// action emits a value, escaped for its context.
func (f *function) action(p *parse.PipeNode, s scope) {
	if len(p.Decl) > 0 {
		fail("%s: only range can set variables", p)
	}
	at := len(p.Cmds)
	for at > 0 && strings.HasPrefix(p.Cmds[at-1].String(), "_") {
		at--
	}
	var names []string
	for _, c := range p.Cmds[at:] {
		names = append(names, c.String())
	}
	escapers := strings.Join(names, " ")
	writer, ok := writers[escapers]
	if !ok {
		fail("%s: there is no escaper for values in this context", p)
	}
	v := f.commands(p.Cmds[:at], s)
	if v.constant != nil {
		f.constant(writer, v)
		return
	}
	method, code := v.printed()
	if method == "HTML" && escapers != "_html_template_htmlescaper" {
		fail("%s: HTML is allowed only between tags", p)
	}
	if method == "Text" {
		method = writer
	}
	f.emit("w.%s(%s)", method, code)
}

// constant adds a value that is known to the HTML.
func (f *function) constant(writer string, v value) {
	text := v.constant.ExactString()
	if v.constant.Kind() == constant.String {
		text = constant.StringVal(v.constant)
	}
	switch writer {
	case "Text":
		f.html.Text(text)
	case "URL":
		f.html.URL(text)
	case "Path":
		f.html.Path(text)
	case "Query":
		f.html.Query(text)
	}
}
