//go:build !pages || judge

package view

import (
	"regexp"
	"strings"
	"sync"
	"unicode"
)

// The messages of the pages are the texts in the templates: what a line of ace says after its tag and attributes, the
// lines of a
// paragraph together, and the attributes that are read out. In another language the template is translated before it is
// parsed, so that English costs nothing.

// span is a message in a template's source.
type span struct {
	from, to int // bytes
	text     string
}

// translate replaces the messages that the catalog has.
func translate(source string, c *catalog) string {
	var b strings.Builder
	at := 0
	for _, s := range messages(source) {
		if other, ok := c.messages[s.text]; ok {
			b.WriteString(source[at:s.from])
			b.WriteString(other)
			at = s.to
		}
	}
	b.WriteString(source[at:])
	return b.String()
}

// messages finds the messages of a template.
func messages(source string) (list []span) {
	at, block := 0, -1 // the indent of the tag whose paragraph goes on; -1: none does
	code := false      // the paragraph is to be typed, and the same in every language
	var open *span
	finish := func() {
		if open != nil && !code && worded(open.text) {
			list = append(list, *open)
		}
		open = nil
	}
	for line := range strings.Lines(source) {
		text := strings.TrimRight(line, "\n")
		trimmed := strings.TrimLeft(text, " ")
		indent := len(text) - len(trimmed)
		from := at + indent
		at += len(line)
		if block >= 0 && indent > block && trimmed != "" {
			if open == nil {
				open = &span{from, from + len(trimmed), trimmed}
			} else {
				open.to, open.text = from+len(trimmed), open.text+" "+trimmed
			}
			continue
		}
		finish()
		block = -1
		first, rest, _ := strings.Cut(trimmed, " ")
		switch {
		case trimmed == "" || first == "=":
		case first == "|":
			add(&list, from+2, rest)
		case strings.HasPrefix(trimmed, "{{"):
			add(&list, from, trimmed)
		default:
			if code = typed().MatchString(first); strings.HasSuffix(first, ".") {
				block = indent
			}
			if !code {
				tag(&list, from+len(first)+1, rest)
			}
		}
	}
	finish()
	return list
}

// Expressions are compiled when they are needed: English needs none.
var (
	typed  = lazy(`^(pre|code|kbd)\b`) // tags whose text is code
	spoken = lazy(`^(aria-label|alt|title|placeholder)="(.*)"$`)
	markup = lazy(`\{\{[^"].*?\}\}|<[^>]*>|&\w+;|\\n`) // an action that is a text in quotes says it
)

func lazy(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// tag finds the messages of a tag's line: of its attributes that are read out, and its text.
func tag(list *[]span, at int, rest string) {
	for rest != "" {
		token := rest[:tokenEnd(rest)]
		if !strings.Contains(token, "=") {
			add(list, at, rest)
			return
		}
		if m := spoken().FindStringSubmatchIndex(token); m != nil {
			add(list, at+m[4], token[m[4]:m[5]])
		}
		next := min(len(token)+1, len(rest))
		at, rest = at+next, rest[next:]
	}
}

// tokenEnd is where the first token of a tag's line ends: at a space outside of quotes and actions, as ace has it.
func tokenEnd(s string) int {
	quoted, action := false, false
	for i := 0; i < len(s); i++ {
		switch {
		case action:
			action = !strings.HasSuffix(s[:i+1], "}}")
		case strings.HasSuffix(s[:i+1], "{{"):
			action = true
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ' ' && !quoted:
			return i
		}
	}
	return len(s)
}

func add(list *[]span, from int, text string) {
	if worded(text) {
		*list = append(*list, span{from, from + len(text), text})
	}
}

// worded tells whether there are words in a text, besides actions and tags.
func worded(text string) bool {
	return strings.IndexFunc(markup().ReplaceAllString(text, ""), unicode.IsLetter) >= 0
}
