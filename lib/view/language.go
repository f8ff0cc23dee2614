package view

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"toaster.do/templates"
)

// Languages are those that pages are there in; the first is the one that the templates and programs are written in.
var Languages = []string{"en", "de"}

// Language chooses one of Languages by an Accept-Language field (RFC 9110, 12.5.4; look-up as in RFC 4647, 3.4).
func Language(accept string) string {
	best, most := Languages[0], 0.0
	for field := range strings.SplitSeq(accept, ",") {
		tag, rest, _ := strings.Cut(strings.TrimSpace(field), ";")
		quality := 1.0
		if q, ok := strings.CutPrefix(strings.TrimSpace(rest), "q="); ok {
			quality, _ = strconv.ParseFloat(q, 64) // a quality that can't be read is none
		}
		main, _, _ := strings.Cut(strings.ToLower(tag), "-")
		for _, l := range Languages {
			if l == main && quality > most && quality <= 1 {
				best, most = l, quality
			}
		}
	}
	return best
}

// catalog holds the messages of a language.
type catalog struct {
	language string
	whole    map[string]string // English → the language's
	patterns []pattern         // of those with a %s in them, where a program puts something in; what says most comes first
}

type pattern struct{ english, other []string } // what stands around each %s

// catalogs are read when they are first needed: most requests are answered in English.
var catalogs = func() map[string]func() *catalog {
	m := map[string]func() *catalog{}
	for _, l := range Languages[1:] {
		m[l] = sync.OnceValue(func() *catalog {
			text, _ := templates.Messages.ReadFile("messages/" + l + ".txt") // embedded: it is there
			return readCatalog(l, string(text))
		})
	}
	return m
}()

// readCatalog reads messages: a line in English, and below it, after a tab, the same in the other language, with each %s in its place.
func readCatalog(language, text string) *catalog {
	c := &catalog{language: language, whole: map[string]string{}}
	english := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		other, indented := strings.CutPrefix(line, "\t")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case !indented:
			english = line
		case strings.Contains(english, "%s"):
			c.patterns = append(c.patterns, pattern{strings.Split(english, "%s"), strings.Split(other, "%s")})
		default:
			c.whole[english] = other
		}
	}
	slices.SortStableFunc(c.patterns, func(a, b pattern) int { return b.length() - a.length() })
	return c
}

// Text is a program's text in a language; as it is where the language has no words for it.
func Text(language, text string) string {
	load := catalogs[language]
	if load == nil || text == "" {
		return text
	}
	return load().text(text)
}

func (c *catalog) text(text string) string {
	if other, ok := c.whole[text]; ok {
		return other
	}
	for _, p := range c.patterns {
		if values, ok := p.match(text); ok {
			for i, v := range values {
				values[i] = c.value(v)
			}
			return p.fill(values)
		}
	}
	return text
}

// value is what a program has put into a text: a sentence of ours, a time, or something that is the same everywhere.
func (c *catalog) value(v string) string {
	if strings.HasSuffix(v, ".") {
		return c.text(v)
	}
	return manners[c.language].time(v)
}

func (p pattern) length() (n int) {
	for _, literal := range p.english {
		n += len(literal)
	}
	return n
}

// match finds what a program has put in.
func (p pattern) match(text string) (values []string, ok bool) {
	rest, ok := strings.CutPrefix(text, p.english[0])
	for i, literal := range p.english[1:] {
		if !ok {
			return nil, false
		}
		at := strings.Index(rest, literal)
		if i == len(p.english)-2 { // the last: nothing comes after it
			at = len(rest) - len(literal)
			ok = strings.HasSuffix(rest, literal)
		}
		if !ok || at < 0 {
			return nil, false
		}
		values = append(values, rest[:at])
		rest = rest[at+len(literal):]
	}
	return values, ok
}

func (p pattern) fill(values []string) string {
	var b strings.Builder
	for i, literal := range p.other {
		b.WriteString(literal)
		if i < len(values) && i < len(p.other)-1 {
			b.WriteString(values[i])
		}
	}
	return b.String()
}
