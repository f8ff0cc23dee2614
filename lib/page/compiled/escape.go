package compiled

import (
	"fmt"
	"html/template"
	"reflect"
	"strings"
)

// Escapers are the functions that a compiled page puts its values through, by the places that html/template tells apart. Each
// gives the same text as html/template does there.
var Escapers = map[string]any{
	"_text":  func(v any) string { return Text(v) },
	"_attr":  func(v any) string { return escape(plain(v)) },
	"_url":   func(v any) string { return escape(normalise(filter(plain(v)))) },
	"_path":  func(v any) string { return escape(normalise(plain(v))) },
	"_query": func(v any) string { return escape(percent(plain(v), "")) },
}

// Chains are html/template's escapers of each place, in their order, and ours that does the same.
var Chains = map[string]string{
	"_html_template_htmlescaper":   "_text",
	"_html_template_rcdataescaper": "_attr",
	"_html_template_attrescaper":   "_attr",
	"_html_template_urlfilter _html_template_urlnormalizer _html_template_attrescaper": "_url",
	"_html_template_urlnormalizer _html_template_attrescaper":                          "_path",
	"_html_template_urlescaper _html_template_attrescaper":                             "_query",
}

// Text is a value between tags. What a program of ours says is HTML stays as it is.
func Text(v any) string {
	if h, ok := v.(template.HTML); ok {
		return string(h)
	}
	return escape(plain(v))
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
