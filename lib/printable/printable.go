// Package printable is about texts of strangers that are to be shown in a line.
package printable

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Is tells whether a text is UTF-8, and all of it can be shown in one line.
func Is(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// IsPath is Is for paths, where only control characters are not taken.
func IsPath(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) }

// Line makes a text fit for a terminal: nothing in it moves the cursor, or looks like a line of its own.
func Line(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// Shorten leaves out what can't be shown, and what is over so many characters.
func Shorten(s string, most int) string {
	text := []rune(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(s, "\uFFFD")))
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}
