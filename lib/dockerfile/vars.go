package dockerfile

import (
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// env is an ordered list of variables; it implements shell.EnvGetter.
type env struct {
	keys   []string
	values map[string]string
}

func (e *env) Get(key string) (string, bool) { v, ok := e.values[key]; return v, ok }
func (e *env) Keys() []string                { return e.keys }

func (e *env) set(key, value string) {
	if e.values == nil {
		e.values = map[string]string{}
	}
	if _, ok := e.values[key]; !ok {
		e.keys = append(e.keys, key)
	}
	e.values[key] = value
}

// baseOfLast returns the image that the last stage stands on, through stages that it is based on.
func (p *parsed) baseOfLast() string {
	lex, globals := shell.NewLex(p.escape), &env{}
	for _, c := range p.args {
		for _, a := range c.Args {
			if a.Value == nil {
				continue
			}
			if v, _, err := lex.ProcessWord(*a.Value, globals); err == nil {
				globals.set(a.Key, v)
			}
		}
	}
	last := len(p.stages) - 1
	for {
		base, _, err := lex.ProcessWord(p.stages[last].BaseName, globals)
		if err != nil {
			return ""
		}
		next := -1
		for i := range p.stages[:last] {
			if p.stages[i].Name != "" && strings.EqualFold(p.stages[i].Name, base) {
				next = i
			}
		}
		if next < 0 {
			return base
		}
		last = next
	}
}
