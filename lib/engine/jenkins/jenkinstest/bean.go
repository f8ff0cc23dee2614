package jenkinstest

import (
	"fmt"
	"strconv"
	"strings"
)

// bean is an object of the remote API.
type bean struct {
	class  string // may be empty
	fields []field
}

// field is a property of a bean. Its value is worked out only when it is asked for.
type field struct {
	name  string
	show  int // visibility: from which depth on it is shown without being asked for
	value func() any
}

func beanOf(class string, fields ...field) *bean { return &bean{class, fields} }

// is is a field that is shown at the top of an answer; deep is one that is shown at every depth.
func is(name string, value any) field   { return field{name, 1, func() any { return value }} }
func deep(name string, value any) field { return field{name, 999, func() any { return value }} }

// lazy is a field that costs something, or that leads back to where it came from.
func lazy(name string, show int, value func() any) field { return field{name, show, value} }

// writeJSON writes a value as Stapler does: fields in their order, and control characters raw.
func writeJSON(b *strings.Builder, v any, t *tree) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case *bean:
		if v == nil {
			b.WriteString("null")
			return
		}
		v.writeJSON(b, t)
	case []*bean:
		list := v[min(t.from, len(v)):min(t.to, len(v))]
		b.WriteByte('[')
		for i, e := range list {
			if i > 0 {
				b.WriteByte(',')
			}
			e.writeJSON(b, t)
		}
		b.WriteByte(']')
	case []string:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			quoteJSON(b, e)
		}
		b.WriteByte(']')
	case string:
		quoteJSON(b, v)
	case int:
		b.WriteString(strconv.Itoa(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case bool:
		b.WriteString(strconv.FormatBool(v))
	default:
		panic(fmt.Sprintf("a field can't be %T", v))
	}
}

func (o *bean) writeJSON(b *strings.Builder, t *tree) {
	b.WriteByte('{')
	comma := false
	if o.class != "" {
		b.WriteString(`"_class":`)
		quoteJSON(b, o.class)
		comma = true
	}
	for _, f := range o.fields {
		sub := t.child(f)
		if sub == nil {
			continue
		}
		if comma {
			b.WriteByte(',')
		}
		comma = true
		quoteJSON(b, f.name)
		b.WriteByte(':')
		writeJSON(b, f.value(), sub)
	}
	b.WriteByte('}')
}

var jsonEscapes = strings.NewReplacer(`"`, `\"`, `\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`)

func quoteJSON(b *strings.Builder, text string) {
	b.WriteByte('"')
	jsonEscapes.WriteString(b, text)
	b.WriteByte('"')
}

// text is a string, or null for an empty one.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}
