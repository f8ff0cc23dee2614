package compile

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"text/template/parse"

	"toaster.do/lib/view/compiled"
)

// encode writes trees, the page's own first, as a program. It fails for what no template of ours has.
func encode(trees []*parse.Tree) (program []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v can't be compiled", p)
		}
	}()
	b := code{}.number(len(trees))
	for _, t := range trees {
		b = b.text(t.Name).part(list(t.Root))
	}
	return b, nil
}

// code is what has been written.
type code []byte

func (c code) number(n int) code { return binary.AppendUvarint(c, uint64(n)) }

func (c code) text(s string) code { return append(c.number(len(s)), s...) }

func (c code) part(p code) code { return c.text(string(p)) }

func (c code) names(list []string) code {
	c = c.number(len(list))
	for _, s := range list {
		c = c.text(s)
	}
	return c
}

func list(l *parse.ListNode) (c code) {
	if l == nil {
		return nil
	}
	for _, n := range l.Nodes {
		c = append(c, instruction(n)...)
	}
	return c
}

func instruction(n parse.Node) code {
	switch n := n.(type) {
	case *parse.TextNode:
		return code{compiled.Text}.text(string(n.Text))
	case *parse.ActionNode:
		if len(n.Pipe.Decl) > 0 {
			return code{compiled.Keep}.text(names(n.Pipe)[0]).part(commands(n.Pipe.Cmds))
		}
		last := len(n.Pipe.Cmds) - 1
		place := slices.Index(places, n.Pipe.Cmds[last].String())
		if place < 0 || last == 0 {
			panic(n)
		}
		return code{compiled.Say, byte(place)}.part(commands(n.Pipe.Cmds[:last]))
	case *parse.IfNode:
		return branching(compiled.If, &n.BranchNode)
	case *parse.WithNode:
		return branching(compiled.With, &n.BranchNode)
	case *parse.RangeNode:
		return code{compiled.Range}.names(names(n.Pipe)).part(commands(n.Pipe.Cmds)).part(list(n.List)).part(list(n.ElseList))
	case *parse.TemplateNode:
		c := code{compiled.Call}.text(n.Name)
		if n.Pipe == nil {
			return c.part(code{}.part(code{}.part(code{compiled.Nil})))
		}
		return c.part(pipe(n.Pipe))
	}
	panic(n)
}

func branching(kind byte, b *parse.BranchNode) code {
	return code{kind}.part(pipe(b.Pipe)).part(list(b.List)).part(list(b.ElseList))
}

// names are the variables that a pipe's value gets.
func names(p *parse.PipeNode) (list []string) {
	if p.IsAssign {
		panic(p)
	}
	for _, v := range p.Decl {
		list = append(list, v.Ident...)
	}
	return list
}

// pipe is a pipe whose value gets no name.
func pipe(p *parse.PipeNode) code {
	if len(p.Decl) > 0 {
		panic(p)
	}
	return commands(p.Cmds)
}

func commands(cmds []*parse.CommandNode) (c code) {
	for _, cmd := range cmds {
		if _, ok := cmd.Args[0].(*parse.NilNode); ok {
			panic(cmd)
		}
		var operands code
		for _, a := range cmd.Args {
			operands = operands.part(operand(a))
		}
		c = c.part(operands)
	}
	return c
}

// forbidden are text/template's functions that lib/view/compiled doesn't know.
var forbidden = map[string]bool{"call": true, "html": true, "js": true, "print": true, "printf": true, "println": true, "slice": true, "urlquery": true}

func operand(n parse.Node) code {
	switch n := n.(type) {
	case *parse.DotNode:
		return code{compiled.Dot}
	case *parse.NilNode:
		return code{compiled.Nil}
	case *parse.FieldNode:
		return code{compiled.Field}.names(n.Ident)
	case *parse.VariableNode:
		return code{compiled.Variable}.names(n.Ident)
	case *parse.IdentifierNode:
		if forbidden[n.Ident] {
			panic(n)
		}
		return code{compiled.Function}.text(n.Ident)
	case *parse.StringNode:
		return code{compiled.String}.text(n.Text)
	case *parse.NumberNode:
		i, err := strconv.Atoi(n.Text)
		if err != nil || i < 0 {
			panic(n)
		}
		return code{compiled.Number}.number(i)
	case *parse.BoolNode:
		return code{compiled.Bool}.number(map[bool]int{true: 1}[n.True])
	case *parse.PipeNode:
		return code{compiled.Pipe}.part(pipe(n))
	case *parse.ChainNode:
		return code{compiled.Chain}.part(operand(n.Node)).names(n.Field)
	}
	panic(n)
}
