// Package compile turns a page's templates, which are ace, into what lib/view/compiled reads: html/template works out how each value
// has to be escaped where it stands, and what is the same in every page of the kind is worked out once.
package compile

import (
	"errors"
	"fmt"
	"html/template"
	"io"
	"strings"
	"text/template/parse"

	"github.com/yosssi/ace"

	"toaster.do/lib/view/compiled"
)

// Source is where templates come from and what they can call.
type Source struct {
	Read  func(name string) ([]byte, error)       // a template's text, by its file's name
	Funcs template.FuncMap                        // what templates call; they are not called here
	Fixed map[string]func(string) (string, error) // functions of one text whose result never changes
}

// Load returns the page of a name as html/template has it, not escaped yet.
func (s Source) Load(name string) (*template.Template, error) {
	return ace.Load("layout", name, &ace.Options{
		DynamicReload: true,
		Asset:         s.Read,
		FuncMap:       s.Funcs,
		NoCloseTagNames: []string{
			"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr",
		},
	})
}

// Page returns the compiled page of a name.
func (s Source) Page(name string) ([]byte, error) {
	trees, err := s.trees(name)
	if err != nil {
		return nil, err
	}
	page, err := encode(trees)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return page, nil
}

// trees are the page and its parts, as text/template would run them with the functions of places.
func (s Source) trees(name string) ([]*parse.Tree, error) {
	t, err := s.Load(name)
	if err != nil {
		return nil, err
	}
	inline(t, t.Tree.Root)
	// Escaping is worked out before the first byte; that the data is missing comes later.
	var wrong *template.Error
	if err := t.Execute(io.Discard, nil); errors.As(err, &wrong) {
		return nil, err
	}
	trees := []*parse.Tree{t.Tree}
	for _, part := range t.Templates() {
		if part.Tree != nil && part.Name() != t.Name() {
			trees = append(trees, part.Tree)
		}
	}
	trees = called(trees)
	o := optimiser{fixed: s.Fixed}
	for _, tree := range trees {
		o.list(tree.Root)
	}
	if o.err != nil {
		return nil, fmt.Errorf("%s: %w", name, o.err)
	}
	return trees, nil
}

// inline puts the parts that get all of the page's data into the place where they are called: in a title, html/template would make
// a copy of them that only it can reach.
func inline(t *template.Template, l *parse.ListNode) {
	if l == nil {
		return
	}
	var nodes []parse.Node
	for _, n := range l.Nodes {
		if n, ok := n.(*parse.IfNode); ok {
			inline(t, n.List)
			inline(t, n.ElseList)
		}
		part := wholly(n)
		if part == "" {
			nodes = append(nodes, n)
			continue
		}
		body := t.Lookup(part).Tree.Root.CopyList()
		inline(t, body)
		nodes = append(nodes, body.Nodes...)
	}
	l.Nodes = nodes
}

// wholly is the name of the template that a node calls with the data that there is.
func wholly(n parse.Node) string {
	if n, ok := n.(*parse.TemplateNode); ok && n.Pipe != nil && n.Pipe.String() == "." {
		return n.Name
	}
	return ""
}

// called are the trees that the first leads to.
func called(trees []*parse.Tree) (list []*parse.Tree) {
	byName := map[string]*parse.Tree{}
	for _, t := range trees {
		byName[t.Name] = t
	}
	seen := map[string]bool{}
	var follow func(t *parse.Tree)
	follow = func(t *parse.Tree) {
		if t == nil || seen[t.Name] {
			return
		}
		seen[t.Name] = true
		list = append(list, t)
		walk(t.Root, func(n *parse.TemplateNode) { follow(byName[n.Name]) })
	}
	follow(trees[0])
	return list
}

func walk(l *parse.ListNode, f func(*parse.TemplateNode)) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		if t, ok := n.(*parse.TemplateNode); ok {
			f(t)
		}
		if b := branch(n); b != nil {
			walk(b.List, f)
			walk(b.ElseList, f)
		}
	}
}

func branch(n parse.Node) *parse.BranchNode {
	switch n := n.(type) {
	case *parse.IfNode:
		return &n.BranchNode
	case *parse.RangeNode:
		return &n.BranchNode
	case *parse.WithNode:
		return &n.BranchNode
	}
	return nil
}

// chains are html/template's escapers of each place, in their order.
var chains = map[string]byte{
	"_html_template_htmlescaper":   compiled.InText,
	"_html_template_rcdataescaper": compiled.InAttr,
	"_html_template_attrescaper":   compiled.InAttr,
	"_html_template_urlfilter _html_template_urlnormalizer _html_template_attrescaper": compiled.InURL,
	"_html_template_urlnormalizer _html_template_attrescaper":                          compiled.InPath,
	"_html_template_urlescaper _html_template_attrescaper":                             compiled.InQuery,
}

// places are names for the one escaper that is put in the place of a chain.
var places = []string{compiled.InText: "_text", compiled.InAttr: "_attr", compiled.InURL: "_url", compiled.InPath: "_path", compiled.InQuery: "_query"}

// optimiser puts one escaper in the place of html/template's chains, and text in the place of what never changes.
type optimiser struct {
	fixed map[string]func(string) (string, error)
	err   error
}

func (o *optimiser) list(l *parse.ListNode) {
	if l == nil {
		return
	}
	var nodes []parse.Node
	for _, n := range l.Nodes {
		if b := branch(n); b != nil {
			o.list(b.List)
			o.list(b.ElseList)
		}
		if a, ok := n.(*parse.ActionNode); ok {
			n = o.action(a)
		}
		text, isText := n.(*parse.TextNode)
		if isText && len(nodes) > 0 {
			if before, ok := nodes[len(nodes)-1].(*parse.TextNode); ok {
				before.Text = append(append([]byte{}, before.Text...), text.Text...)
				continue
			}
		}
		nodes = append(nodes, n)
	}
	l.Nodes = nodes
}

func (o *optimiser) action(a *parse.ActionNode) parse.Node {
	if len(a.Pipe.Decl) > 0 {
		return a // it is kept, and escaped where it is said
	}
	at := len(a.Pipe.Cmds)
	for at > 0 && strings.HasPrefix(a.Pipe.Cmds[at-1].String(), "_") {
		at--
	}
	var chain []string
	for _, c := range a.Pipe.Cmds[at:] {
		chain = append(chain, c.String())
	}
	place, known := chains[strings.Join(chain, " ")]
	if !known {
		o.err = errors.Join(o.err, fmt.Errorf("%s: values can't stand here: there is no escaper for it", a))
		return a
	}
	if said, ok := o.constant(a.Pipe.Cmds[:at]); ok {
		return &parse.TextNode{NodeType: parse.NodeText, Text: []byte(compiled.Escape[place](said))}
	}
	escaper := &parse.CommandNode{NodeType: parse.NodeCommand, Args: []parse.Node{parse.NewIdentifier(places[place])}}
	a.Pipe.Cmds = append(a.Pipe.Cmds[:at:at], escaper)
	return a
}

// constant is what a pipeline says that says the same every time.
func (o *optimiser) constant(cmds []*parse.CommandNode) (string, bool) {
	if len(cmds) != 1 {
		return "", false
	}
	args := cmds[0].Args
	last, ok := args[len(args)-1].(*parse.StringNode)
	if !ok || len(args) > 2 {
		return "", false
	}
	if len(args) == 1 {
		return last.Text, true
	}
	f, ok := o.fixed[args[0].String()]
	if !ok {
		return "", false
	}
	said, err := f(last.Text)
	o.err = errors.Join(o.err, err)
	return said, true
}
