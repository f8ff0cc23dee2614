package view

import (
	"strconv"
	"strings"
)

// Writer collects a page. Text, URL, Path and Query escape for a context as html/template does.
type Writer struct{ page []byte }

// String returns what was written.
func (w *Writer) String() string { return string(w.page) }

// HTML adds HTML. Inlining it would make the programs larger and hardly faster.
//
//go:noinline
func (w *Writer) HTML(s string) { w.page = append(w.page, s...) }

// Int adds a number, which needs no escaping.
func (w *Writer) Int(n int64) { w.page = strconv.AppendInt(w.page, n, 10) }

// Bool adds "true" or "false".
func (w *Writer) Bool(b bool) { w.page = strconv.AppendBool(w.page, b) }

// Text adds a text between tags, in a title, or in an attribute in quotes.
func (w *Writer) Text(s string) {
	from := 0
	for i := 0; i < len(s); i++ {
		if escaped := special[s[i]]; escaped != "" {
			w.page = append(append(w.page, s[from:i]...), escaped...)
			from = i + 1
		}
	}
	w.page = append(w.page, s[from:]...)
}

// special are the characters that have a meaning in HTML, escaped.
var special = [256]string{
	0: "\uFFFD", '"': "&#34;", '&': "&amp;", '\'': "&#39;", '+': "&#43;", '<': "&lt;", '>': "&gt;",
}

// URL adds the start of a URL. A scheme other than http, https and mailto is replaced.
func (w *Writer) URL(s string) {
	scheme, _, ok := strings.Cut(s, ":")
	if ok && !strings.Contains(scheme, "/") && !safe(scheme) {
		s = "#ZgotmplZ"
	}
	w.Path(s)
}

func safe(scheme string) bool {
	return strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https") || strings.EqualFold(scheme, "mailto")
}

// Path adds a part of a URL. What is percent-encoded already stays as it is.
func (w *Writer) Path(s string) { w.percent(s, "!#$&*+,/:;=?@[]") }

// Query adds a value in the query of a URL.
func (w *Writer) Query(s string) { w.percent(s, "") }

// percent adds percent-encoded text (RFC 3986, 2.1). Characters of kept stay; unless kept is empty,
// so does what is encoded already.
func (w *Writer) percent(s, kept string) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		encoded := c == '%' && kept != "" && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2])
		switch {
		case encoded || unreserved(c):
			w.page = append(w.page, c)
		case strings.IndexByte(kept, c) >= 0:
			w.Text(s[i : i+1])
		default:
			w.page = append(w.page, '%', digits[c>>4], digits[c&15])
		}
	}
}

const digits = "0123456789abcdef"

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// unreserved tells whether a character means itself in every part of a URL.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
