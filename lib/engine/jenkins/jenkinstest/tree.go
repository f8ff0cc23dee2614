package jenkinstest

import (
	"errors"
	"math"
	"strconv"
)

// tree says which fields an answer has: what "tree=" asks for, or the depth.
type tree struct {
	children map[string]*tree
	from, to int // the part of a list
	depth    int // without "tree=": fields of at least this visibility
}

// depthTree is what an answer without "tree=" has.
func depthTree(depth int) *tree { return &tree{to: math.MaxInt, depth: 1 - depth} }

// child is the tree for a field's value, nil where the field is left out.
func (t *tree) child(f field) *tree {
	if t.children == nil {
		if f.show < t.depth {
			return nil
		}
		return &tree{to: math.MaxInt, depth: t.depth + 1}
	}
	if sub := t.children[f.name]; sub != nil {
		return sub
	}
	return t.children["*"]
}

var errTree = errors.New("malformed tree")

// parseTree reads "tree=": names, [fields] of each, and {from,to} of lists. As in Jenkins the last of two equal names counts.
func parseTree(text string) (t *tree, err error) {
	defer func() {
		if recover() != nil {
			t, err = nil, errTree
		}
	}()
	r := &treeReader{text: text}
	t = r.list()
	r.expect("")
	return t, nil
}

type treeReader struct {
	text string
	pos  int
}

// peek is the next token: a mark, a name, or "" at the end.
func (r *treeReader) peek() string {
	rest := r.text[r.pos:]
	for i := range len(rest) {
		switch rest[i] {
		case ',', '[', ']', '{', '}':
			if i == 0 {
				return rest[:1]
			}
			return rest[:i]
		}
	}
	return rest
}

func (r *treeReader) accept(token string) bool {
	if r.peek() != token {
		return false
	}
	r.pos += len(token)
	return true
}

func (r *treeReader) expect(token string) {
	if !r.accept(token) {
		panic(errTree)
	}
}

func (r *treeReader) list() *tree {
	t := &tree{children: map[string]*tree{}, to: math.MaxInt}
	for {
		name := r.peek()
		if name == "" || len(name) == 1 && name != "*" && !word(name[0]) {
			panic(errTree)
		}
		r.pos += len(name)
		sub := &tree{children: map[string]*tree{}, to: math.MaxInt}
		if r.accept("[") {
			sub = r.list()
			r.expect("]")
		}
		if r.accept("{") {
			r.span(sub)
			r.expect("}")
		}
		t.children[name] = sub
		if !r.accept(",") {
			return t
		}
	}
}

func word(b byte) bool { return b != ',' && b != '[' && b != ']' && b != '{' && b != '}' }

func (r *treeReader) span(t *tree) {
	if r.accept(",") {
		t.to = r.number()
		return
	}
	t.from = r.number()
	t.to = t.from + 1
	if r.accept(",") {
		t.to = math.MaxInt
		if r.peek() != "}" {
			t.to = r.number()
		}
	}
}

func (r *treeReader) number() int {
	token := r.peek()
	n, err := strconv.Atoi(token)
	if err != nil || n < 0 {
		panic(errTree)
	}
	r.pos += len(token)
	return n
}
