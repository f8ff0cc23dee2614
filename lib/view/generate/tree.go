package main

import (
	"errors"
	"html/template"
	"io"
	"text/template/parse"
)

// trees are a template and the parts that it calls, by name. html/template has added its escapers
// to every action.
func trees(t *template.Template) (map[string]*parse.Tree, error) {
	inline(t, t.Tree.Root)
	// The escaping is done before the template runs; that it fails then for lack of data is no error.
	var wrong *template.Error
	if err := t.Execute(io.Discard, nil); errors.As(err, &wrong) {
		return nil, err
	}
	all := map[string]*parse.Tree{}
	for _, part := range t.Templates() {
		if part.Tree != nil {
			all[part.Name()] = part.Tree
		}
	}
	return all, nil
}

// inline replaces calls that pass the whole data by what they call: in a title, html/template
// would call an escaped copy that nobody else can get.
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
		part := calledWithDot(n)
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

// calledWithDot is the name of the template that a node calls with “.”; empty: it doesn't.
func calledWithDot(n parse.Node) string {
	if n, ok := n.(*parse.TemplateNode); ok && n.Pipe != nil && n.Pipe.String() == "." {
		return n.Name
	}
	return ""
}
