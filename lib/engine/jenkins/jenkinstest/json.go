package jenkinstest

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
)

// fields are what an object of the remote API has; a func() any is called only when its field is asked for.
type fields map[string]any

// list makes a list of objects.
func list[T any](all []T, object func(T) fields) []fields {
	objects := make([]fields, len(all))
	for i, one := range all {
		objects[i] = object(one)
	}
	return objects
}

// tree says which fields an answer has, as "tree=" does.
type tree struct {
	children map[string]*tree // nil: all that costs nothing
	from, to int              // the part of a list
}

func newTree() *tree { return &tree{children: map[string]*tree{}, to: math.MaxInt} }

// pick returns what the tree asks for of a value. An object of which no field is asked for shows its class.
func (t *tree) pick(v any) any {
	switch v := v.(type) {
	case func() any:
		return t.pick(v())
	case []fields:
		list := []any{}
		for _, f := range v[min(t.from, len(v)):min(t.to, len(v))] {
			list = append(list, t.pick(f))
		}
		return list
	case fields:
		picked := map[string]any{}
		for name, value := range v {
			if sub := t.children[name]; sub != nil {
				picked[name] = sub.pick(value)
			} else if _, costly := value.(func() any); name == "_class" || t.children == nil && !costly {
				picked[name] = value
			}
		}
		return picked
	}
	return v
}

// parseTree reads "tree=": names, [fields] of each, and {from,to} of lists. It returns what it can't read.
func parseTree(text string) (t *tree, rest string) {
	t = newTree()
	for {
		end := strings.IndexAny(text+"]", ",[]{}")
		name, sub := text[:end], newTree()
		text = text[end:]
		if strings.HasPrefix(text, "[") {
			sub, text = parseTree(text[1:])
			text = strings.TrimPrefix(text, "]")
		}
		if strings.HasPrefix(text, "{") {
			span, after, _ := strings.Cut(text[1:], "}")
			fmt.Sscanf(span, "%d,%d", &sub.from, &sub.to)
			text = after
		}
		t.children[name] = sub
		if !strings.HasPrefix(text, ",") {
			return t, text
		}
		text = text[1:]
	}
}

// api answers the "api/json" of an object.
func (c *call) api(path []string, object fields) {
	if len(path) != 2 || path[0] != "api" || path[1] != "json" {
		c.notFound()
		return
	}
	t := &tree{}
	if c.form.Has("tree") {
		rest := ""
		if t, rest = parseTree(c.form.Get("tree")); rest != "" {
			c.oops(http.StatusInternalServerError)
			return
		}
	}
	text, err := json.Marshal(t.pick(object))
	if err != nil {
		panic(err)
	}
	c.w.Header().Set("X-Jenkins", Version)
	c.text("application/json;charset=utf-8", string(text))
}
