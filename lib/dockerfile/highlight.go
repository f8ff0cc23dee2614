package dockerfile

import (
	"strings"

	instruction "github.com/moby/buildkit/frontend/dockerfile/command"
)

// Span is a piece of a line with the class that its colour comes from:
// "k" keyword, "s" string, "c" comment, "v" variable, "f" flag, "h" heredoc, "" the rest.
type Span struct{ Class, Text string }

// Highlight cuts a Dockerfile into lines and these into spans. The texts of a line's spans joined are the line, without
// its end. It is for reading: it knows the language's words, and takes nothing for wrong.
func Highlight(dockerfile []byte) [][]Span {
	text := strings.TrimSuffix(string(dockerfile), "\n")
	if text == "" {
		return nil
	}
	h := &highlighter{escape: '\\', top: true}
	lines := strings.Split(text, "\n")
	out := make([][]Span, 0, len(lines))
	for _, l := range lines {
		l = strings.TrimSuffix(l, "\r")
		out = append(out, h.line(l))
	}
	return out
}

type highlighter struct {
	escape    byte
	top       bool     // only comments so far: directives may come
	continued bool     // the line belongs to the instruction before
	heredocs  []string // the delimiters that are awaited; a "-" before one lets tabs stand before it
	text      string   // the line
	at        int      // how much of it is in spans
	spans     []Span
}

var (
	escapeDirective = lazy("^#\\s*escape\\s*=\\s*(\\\\|`)\\s*$")
	heredocStart    = lazy(`<<(-?)\s*(?:"([A-Za-z0-9_.]+)"|'([A-Za-z0-9_.]+)'|([A-Za-z0-9_.]+))`)
	variable        = lazy(`^\$(\{[^}]*\}?|[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-])`)
	flag            = lazy(`^--[a-z][a-z-]*`)
)

// hasHeredocs are the instructions that take here-documents.
var hasHeredocs = map[string]bool{"run": true, "copy": true, "add": true, "onbuild": true}

func (h *highlighter) line(l string) []Span {
	h.spans, h.text, h.at = nil, l, 0
	trimmed := strings.TrimSpace(l)
	switch {
	case len(h.heredocs) > 0:
		h.add("h", l)
		if end := h.heredocs[0]; l == end || strings.HasPrefix(end, "-") && strings.TrimLeft(l, "\t") == end[1:] {
			h.heredocs = h.heredocs[1:]
		}
	case strings.HasPrefix(trimmed, "#"):
		if m := escapeDirective().FindStringSubmatch(l); m != nil && h.top {
			h.escape = m[1][0]
		}
		h.add("c", l)
	case trimmed == "":
		h.add("", l)
	default:
		h.instruction(l)
	}
	return h.spans
}

// add puts the next piece of the line to the spans.
func (h *highlighter) add(class, text string) {
	h.at += len(text)
	if n := len(h.spans); n > 0 && h.spans[n-1].Class == class {
		h.spans[n-1].Text = h.text[h.at-len(text)-len(h.spans[n-1].Text) : h.at]
	} else if text != "" {
		h.spans = append(h.spans, Span{class, text})
	}
}

// instruction colours a line of an instruction, the first or one that goes on.
func (h *highlighter) instruction(l string) {
	h.top = false
	rest, heredocs := l, h.continued
	if !h.continued {
		rest, heredocs = h.keyword(rest)
	}
	h.continued = strings.HasSuffix(strings.TrimRight(l, " \t"), string(h.escape))
	if heredocs && !h.continued {
		for _, m := range heredocStart().FindAllStringSubmatch(l, -1) {
			h.heredocs = append(h.heredocs, m[1]+m[2]+m[3]+m[4])
		}
	}
	for rest != "" {
		rest = rest[h.word(rest):]
	}
}

// keyword colours the instruction's name, also that of ONBUILD's trigger.
func (h *highlighter) keyword(l string) (rest string, heredocs bool) {
	for {
		space := l[:len(l)-len(strings.TrimLeft(l, " \t"))]
		name, _, _ := strings.Cut(l[len(space):], " ")
		name, _, _ = strings.Cut(name, "\t")
		lower := strings.ToLower(name)
		if _, known := instruction.Commands[lower]; !known {
			return l, heredocs
		}
		h.add("", space)
		h.add("k", name)
		l, heredocs = l[len(space)+len(name):], hasHeredocs[lower]
		if lower != "onbuild" {
			return l, heredocs
		}
	}
}

// word colours what rest begins with, and returns its length.
func (h *highlighter) word(rest string) int {
	take := func(class string, n int) int {
		h.add(class, rest[:n])
		return n
	}
	after := len(h.spans) == 0 || strings.HasSuffix(h.spans[len(h.spans)-1].Text, " ") ||
		strings.HasSuffix(h.spans[len(h.spans)-1].Text, "\t")
	switch b := rest[0]; {
	case b == h.escape && len(rest) > 1:
		return take("", 2)
	case b == ' ' || b == '\t':
		return take("", 1)
	case b == '"' || b == '\'':
		return h.quoted(rest)
	case b == '$':
		if m := variable().FindString(rest); m != "" {
			return take("v", len(m))
		}
	case b == '-' && after:
		if m := flag().FindString(rest); m != "" {
			return take("f", len(m))
		}
	case strings.HasPrefix(rest, "AS ") || strings.HasPrefix(rest, "as "):
		if after && len(h.spans) > 1 && strings.EqualFold(h.spans[0].Text, "from") {
			return take("k", 2)
		}
	}
	n := strings.IndexAny(rest[1:], " \t\"'$"+string(h.escape)) + 1
	if n == 0 {
		n = len(rest)
	} else if rest[n] == ' ' {
		n++
	}
	return take("", n)
}

// quoted colours a string, with the variables in it if its quotes are double ones.
func (h *highlighter) quoted(rest string) int {
	end := 1
	for end < len(rest) && rest[end] != rest[0] {
		if rest[end] == h.escape && rest[0] == '"' {
			end++
		}
		end++
	}
	end = min(end+1, len(rest))
	text := rest[:end]
	for rest[0] == '"' && strings.Contains(text, "$") {
		at := strings.IndexByte(text, '$')
		m := variable().FindString(text[at:])
		if m == "" {
			break
		}
		h.add("s", text[:at])
		h.add("v", m)
		text = text[at+len(m):]
	}
	h.add("s", text)
	return end
}
