package jenkinstest

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// writeXML writes an object as "api/xml" does.
func writeXML(b *strings.Builder, o *bean, t *tree) {
	name := o.class[strings.LastIndexAny(o.class, ".$")+1:]
	for i, r := range name {
		// FreeStyleProject becomes freeStyleProject.
		name = strings.ToLower(string(r)) + name[i+1:]
		break
	}
	writeElement(b, name, o, t)
}

func writeElement(b *strings.Builder, name string, v any, t *tree) {
	switch v := v.(type) {
	case nil:
	case *bean:
		if v == nil {
			return
		}
		b.WriteString("<" + name)
		if v.class != "" {
			b.WriteString(" _class='" + v.class + "'")
		}
		b.WriteString(">")
		for _, f := range v.fields {
			if sub := t.child(f); sub != nil {
				writeElement(b, f.name, f.value(), sub)
			}
		}
		b.WriteString("</" + name + ">")
	case []*bean:
		for _, e := range v[min(t.from, len(v)):min(t.to, len(v))] {
			writeElement(b, strings.TrimSuffix(name, "s"), e, t)
		}
	default:
		b.WriteString("<" + name + ">")
		xml.EscapeText(b, []byte(fmt.Sprint(v)))
		b.WriteString("</" + name + ">")
	}
}
