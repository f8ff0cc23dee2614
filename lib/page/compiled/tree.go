// Package compiled is the form that pages have in the programs: the parse trees of text/template, in which the escaping of
// every value has been worked out already. lib/page/compile makes it, when toaster is built or, without that, at run time.
package compiled

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"text/template/parse"
)

// What stands before each node.
const (
	text byte = iota + 1
	action
	branchIf
	branchRange
	branchWith
	call
	dot
	null
	field
	variable
	identifier
	quoted
	number
	truth
	pipeline
	chain
	leave
	resume
	nothing
)

var errForm = errors.New("page: this is no compiled page")

// Encode writes trees, the page's own first. It fails for what no template of ours has.
func Encode(trees []*parse.Tree) (b []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("page: %v can't be compiled", p)
		}
	}()
	e := encoder{}
	e.count(len(trees))
	for _, t := range trees {
		e.string(t.Name)
		e.list(t.Root)
	}
	return e.b, nil
}

type encoder struct{ b []byte }

func (e *encoder) count(n int) { e.b = binary.AppendUvarint(e.b, uint64(n)) }

func (e *encoder) string(s string) {
	e.count(len(s))
	e.b = append(e.b, s...)
}

func (e *encoder) strings(list []string) {
	e.count(len(list))
	for _, s := range list {
		e.string(s)
	}
}

func (e *encoder) kind(k byte) { e.b = append(e.b, k) }

func (e *encoder) list(l *parse.ListNode) {
	if l == nil {
		e.count(0)
		return
	}
	e.count(len(l.Nodes))
	for _, n := range l.Nodes {
		e.node(n)
	}
}

func (e *encoder) pipe(p *parse.PipeNode) {
	if p == nil {
		e.kind(nothing)
		return
	}
	e.kind(pipeline)
	if p.IsAssign {
		panic(p)
	}
	e.count(len(p.Decl))
	for _, v := range p.Decl {
		e.strings(v.Ident)
	}
	e.count(len(p.Cmds))
	for _, c := range p.Cmds {
		e.count(len(c.Args))
		for _, a := range c.Args {
			e.node(a)
		}
	}
}

func (e *encoder) branch(kind byte, b *parse.BranchNode) {
	e.kind(kind)
	e.pipe(b.Pipe)
	e.list(b.List)
	e.list(b.ElseList)
}

func (e *encoder) node(n parse.Node) {
	switch n := n.(type) {
	case *parse.TextNode:
		e.kind(text)
		e.string(string(n.Text))
	case *parse.ActionNode:
		e.kind(action)
		e.pipe(n.Pipe)
	case *parse.IfNode:
		e.branch(branchIf, &n.BranchNode)
	case *parse.RangeNode:
		e.branch(branchRange, &n.BranchNode)
	case *parse.WithNode:
		e.branch(branchWith, &n.BranchNode)
	case *parse.TemplateNode:
		e.kind(call)
		e.string(n.Name)
		e.pipe(n.Pipe)
	case *parse.DotNode:
		e.kind(dot)
	case *parse.NilNode:
		e.kind(null)
	case *parse.FieldNode:
		e.kind(field)
		e.strings(n.Ident)
	case *parse.VariableNode:
		e.kind(variable)
		e.strings(n.Ident)
	case *parse.IdentifierNode:
		e.kind(identifier)
		e.string(n.Ident)
	case *parse.StringNode:
		e.kind(quoted)
		e.string(n.Text)
	case *parse.NumberNode:
		if !n.IsInt || n.Int64 < 0 {
			panic(n)
		}
		e.kind(number)
		e.count(int(n.Int64))
	case *parse.BoolNode:
		e.kind(truth)
		e.count(map[bool]int{true: 1}[n.True])
	case *parse.PipeNode:
		e.pipe(n)
	case *parse.ChainNode:
		e.kind(chain)
		e.node(n.Node)
		e.strings(n.Field)
	case *parse.BreakNode:
		e.kind(leave)
	case *parse.ContinueNode:
		e.kind(resume)
	default:
		panic(n)
	}
}

// Decode reads what Encode wrote. The trees' texts are parts of b, which must not be changed any more.
func Decode(b []byte) (trees []*parse.Tree, err error) {
	defer func() {
		if recover() != nil {
			trees, err = nil, errForm
		}
	}()
	d := decoder{b: b, s: string(b)}
	for range d.count() {
		t := &parse.Tree{Name: d.string(), Root: d.list()}
		if t.Root == nil {
			t.Root = &parse.ListNode{NodeType: parse.NodeList}
		}
		trees = append(trees, t)
	}
	if d.at != len(b) || len(trees) == 0 {
		return nil, errForm
	}
	return trees, nil
}

type decoder struct {
	b  []byte
	s  string // the same: strings are parts of it
	at int
}

// count never gives more than there are bytes: each thing that is counted has one at least.
func (d *decoder) count() int {
	n := d.number()
	if n > len(d.b) {
		panic(errForm)
	}
	return n
}

func (d *decoder) number() int {
	n, size := binary.Uvarint(d.b[d.at:])
	if size <= 0 || n > 1<<31-1 {
		panic(errForm)
	}
	d.at += size
	return int(n)
}

func (d *decoder) bytes() []byte {
	n := d.count()
	d.at += n
	return slices.Clip(d.b[d.at-n : d.at])
}

func (d *decoder) string() string {
	n := len(d.bytes())
	return d.s[d.at-n : d.at]
}

func (d *decoder) strings() []string {
	list := make([]string, d.count())
	for i := range list {
		list[i] = d.string()
	}
	return list
}

func (d *decoder) kind() byte {
	d.at++
	return d.b[d.at-1]
}

func (d *decoder) list() *parse.ListNode {
	n := d.count()
	if n == 0 {
		return nil
	}
	l := &parse.ListNode{NodeType: parse.NodeList, Nodes: make([]parse.Node, n)}
	for i := range l.Nodes {
		l.Nodes[i] = d.node()
	}
	return l
}

func (d *decoder) pipe() *parse.PipeNode {
	switch d.kind() {
	case nothing:
		return nil
	case pipeline:
		return d.commands()
	}
	panic(errForm)
}

func (d *decoder) commands() *parse.PipeNode {
	p := &parse.PipeNode{NodeType: parse.NodePipe}
	for range d.count() {
		p.Decl = append(p.Decl, &parse.VariableNode{NodeType: parse.NodeVariable, Ident: d.strings()})
	}
	p.Cmds = make([]*parse.CommandNode, d.count())
	for i := range p.Cmds {
		c := &parse.CommandNode{NodeType: parse.NodeCommand, Args: make([]parse.Node, d.count())}
		for j := range c.Args {
			c.Args[j] = d.node()
		}
		p.Cmds[i] = c
	}
	return p
}

func (d *decoder) branch(kind parse.NodeType) parse.BranchNode {
	b := parse.BranchNode{NodeType: kind, Pipe: d.pipe(), List: d.list(), ElseList: d.list()}
	if b.List == nil {
		b.List = &parse.ListNode{NodeType: parse.NodeList}
	}
	return b
}

func (d *decoder) node() parse.Node {
	switch d.kind() {
	case text:
		return &parse.TextNode{NodeType: parse.NodeText, Text: d.bytes()}
	case action:
		return &parse.ActionNode{NodeType: parse.NodeAction, Pipe: d.pipe()}
	case branchIf:
		return &parse.IfNode{BranchNode: d.branch(parse.NodeIf)}
	case branchRange:
		return &parse.RangeNode{BranchNode: d.branch(parse.NodeRange)}
	case branchWith:
		return &parse.WithNode{BranchNode: d.branch(parse.NodeWith)}
	case call:
		return &parse.TemplateNode{NodeType: parse.NodeTemplate, Name: d.string(), Pipe: d.pipe()}
	case dot:
		return &parse.DotNode{NodeType: parse.NodeDot}
	case null:
		return &parse.NilNode{NodeType: parse.NodeNil}
	case field:
		return &parse.FieldNode{NodeType: parse.NodeField, Ident: d.strings()}
	case variable:
		return &parse.VariableNode{NodeType: parse.NodeVariable, Ident: d.strings()}
	case identifier:
		return parse.NewIdentifier(d.string())
	case quoted:
		return &parse.StringNode{NodeType: parse.NodeString, Text: d.string()}
	case number:
		n := int64(d.number())
		return &parse.NumberNode{NodeType: parse.NodeNumber, IsInt: true, IsUint: true, IsFloat: true, Int64: n, Uint64: uint64(n), Float64: float64(n)}
	case truth:
		return &parse.BoolNode{NodeType: parse.NodeBool, True: d.number() == 1}
	case pipeline:
		return d.commands()
	case chain:
		return &parse.ChainNode{NodeType: parse.NodeChain, Node: d.node(), Field: d.strings()}
	case leave:
		return &parse.BreakNode{NodeType: parse.NodeBreak}
	case resume:
		return &parse.ContinueNode{NodeType: parse.NodeContinue}
	}
	panic(errForm)
}
