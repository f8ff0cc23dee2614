package view

import (
	"strconv"
	"strings"
	"sync"

	"toaster.do/lib/i18n"
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
	messages map[string]string // English → the language's
}

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

// readCatalog reads messages: a line in English, and below it, after a tab, the same in the other language.
func readCatalog(language, text string) *catalog {
	c := &catalog{language: language, messages: map[string]string{}}
	english := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		other, indented := strings.CutPrefix(line, "\t")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case !indented:
			english = line
		default:
			c.messages[english] = other
		}
	}
	return c
}

// Text is a text in a language; in English where the language has no words for it.
func Text(language string, t i18n.Text) string {
	if load := catalogs[language]; load != nil {
		return t.In(load())
	}
	return t.String()
}

// Word is a text without arguments in a language: a Key, or a word of the database, such as a state.
func Word[S ~string](language string, word S) string {
	if load := catalogs[language]; load != nil {
		return load().Format(string(word))
	}
	return string(word)
}

// Format implements i18n.Language.
func (c *catalog) Format(key string) string {
	if other, ok := c.messages[key]; ok {
		return other
	}
	return key
}

// Time implements i18n.Language.
func (c *catalog) Time(t i18n.Time) string {
	m, en := manners[c.language], manners["en"]
	return m.write(t.At.UTC(), strings.Replace(t.Layout, en.date, m.date, 1))
}
