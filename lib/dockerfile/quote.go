package dockerfile

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// quote makes one word of zsh that means s and nothing else: no expansion, no line end, ASCII only.
// This is the only way for text of a person into a blend, besides base64.
func quote(s string) string {
	plain, simple := s != "", true
	for i := 0; i < len(s); i++ {
		b := s[i]
		if b < ' ' || b > '~' || b == '\'' {
			simple = false
		}
		if !('a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '/' || b == '.' || b == '-' ||
			b == '_' || b == ':' || b == '+' || b == ',') {
			plain = false
		}
	}
	switch {
	case plain:
		return s
	case simple:
		return "'" + s + "'"
	}
	var w strings.Builder
	w.WriteString("$'")
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case b == '\n':
			w.WriteString(`\n`)
		case b == '\t':
			w.WriteString(`\t`)
		case b == '\'' || b == '\\':
			w.WriteByte('\\')
			w.WriteByte(b)
		case b < ' ' || b > '~':
			fmt.Fprintf(&w, `\x%02x`, b)
		default:
			w.WriteByte(b)
		}
	}
	w.WriteByte('\'')
	return w.String()
}

// words quotes and joins.
func words(list ...string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = quote(s)
	}
	return strings.Join(out, " ")
}

// oneLine shows an instruction in a log: one line, nothing that moves a terminal's cursor, at most 200 bytes.
func oneLine(s string) string {
	var w strings.Builder
	space := false
	for _, r := range s {
		switch {
		case r == ' ' || r == '\t' || r == '\n':
			space = true
			continue
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError || r >= 0x2028 && r <= 0x202e || r >= 0x2066 &&
			r <= 0x2069:
			r = '?'
		}
		if space && w.Len() > 0 {
			w.WriteByte(' ')
		}
		space = false
		if w.Len()+utf8.RuneLen(r) > 197 {
			w.WriteString("…")
			break
		}
		w.WriteRune(r)
	}
	return w.String()
}
