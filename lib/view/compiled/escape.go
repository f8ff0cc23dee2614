package compiled

import (
	"fmt"
	"html/template"
	"reflect"
	"strings"
)

// Places where a value can stand, of those that html/template tells apart.
const (
	InText  byte = iota // between tags
	InAttr              // in an attribute, or in a title
	InURL               // at the beginning of an address
	InPath              // in an address
	InQuery             // in the query of an address
)

// Escape has, for each place, what gives the same text as html/template does there.
var Escape = [...]func(string) string{
	InText:  escape,
	InAttr:  escape,
	InURL:   func(s string) string { return escape(normalise(filter(s))) },
	InPath:  func(s string) string { return escape(normalise(s)) },
	InQuery: func(s string) string { return escape(percent(s, "")) },
}

// Escaped is a value as it is said in a place. What a program of ours says is HTML stays as it is between tags.
func Escaped(place byte, v any) string {
	if h, ok := v.(template.HTML); ok && place == InText {
		return string(h)
	}
	return Escape[place](plain(v))
}

// plain is a value as it is written.
func plain(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	for r := reflect.ValueOf(v); ; r = r.Elem() {
		if !r.IsValid() {
			return ""
		}
		switch r.Interface().(type) {
		case fmt.Stringer, error:
			return fmt.Sprint(r.Interface())
		}
		if r.Kind() != reflect.Pointer || r.IsNil() {
			return fmt.Sprint(r.Interface())
		}
	}
}

// escape replaces what has a meaning in HTML, between tags or in an attribute in quotes.
func escape(s string) string {
	if !strings.ContainsAny(s, "\x00\"&'+<>") {
		return s
	}
	return special.Replace(s)
}

var special = strings.NewReplacer("\x00", "\uFFFD", `"`, "&#34;", "&", "&amp;", "'", "&#39;", "+", "&#43;", "<", "&lt;", ">", "&gt;")

// filter lets an address pass that leads to a page or a letter, and no other.
func filter(s string) string {
	scheme, _, ok := strings.Cut(s, ":")
	if !ok || strings.Contains(scheme, "/") || strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https") || strings.EqualFold(scheme, "mailto") {
		return s
	}
	return "#ZgotmplZ"
}

// normalise writes what can't stand in an address in percent form, and leaves what is in that form already.
func normalise(s string) string { return percent(s, "!#$&*+,/:;=?@[]") }

// percent writes bytes in percent form (RFC 3986, 2.1), besides those that never need it and those of kept, with which a percent
// form that is there already is kept, too.
func percent(s, kept string) string {
	var b strings.Builder
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0:
			continue
		case strings.IndexByte(kept, c) >= 0:
			continue
		case c == '%' && kept != "" && i+2 < len(s) && hex(s[i+1]) && hex(s[i+2]):
			continue
		}
		b.WriteString(s[from:i])
		fmt.Fprintf(&b, "%%%02x", c)
		from = i + 1
	}
	if from == 0 {
		return s
	}
	b.WriteString(s[from:])
	return b.String()
}

func hex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
