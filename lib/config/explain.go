package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"toaster.do/lib/tomlerr"
)

// explain turns the decoder's error into "file:line: key: what is wrong".
func explain(err error, data []byte, path string) error {
	// The decoder gives no place to the error of an UnmarshalText whose value isn't a string.
	var value *valueError
	if errors.As(err, &value) {
		for _, e := range entries(data) {
			if e.value == value.text {
				return fmt.Errorf("%s:%d: %s: %w", path, e.line, e.key, err)
			}
		}
	}
	return tomlerr.Explain(err, path)
}

// valueError is a value that its type can't read.
type valueError struct{ text, want string }

func (e *valueError) Error() string { return fmt.Sprintf("%q is not %s", e.text, e.want) }

// lineOf finds the line of a key, or the first in a table of that name; 0 where the file leaves it out.
func lineOf(data []byte, key string) int {
	for _, e := range entries(data) {
		if e.key == key || strings.HasPrefix(e.key, key+".") {
			return e.line
		}
	}
	return 0
}

// entry is a key with its tables' names in front, and its value as it is written.
type entry struct {
	key, value string
	line       int
}

func entries(data []byte) (all []entry) {
	var p unstable.Parser
	p.Reset(data)
	table := ""
	for p.NextExpression() {
		e := p.Expression()
		var names []string
		line := 0
		for it := e.Key(); it.Next(); {
			names = append(names, string(it.Node().Data))
			line = p.Shape(it.Node().Raw).Start.Line
		}
		name := strings.Join(names, ".")
		switch e.Kind {
		case unstable.Table:
			table = name + "."
		case unstable.KeyValue:
			all = append(all, entry{table + name, string(e.Value().Data), line})
		}
	}
	return all
}
