// Package manpage writes manual pages from what commands print for --help.
package manpage

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// Page is a manual page (man(7) of groff) that is being written.
type Page struct{ strings.Builder }

// escape keeps a text from being read as requests, and makes characters that a plain terminal lacks portable.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\\':
			b.WriteString(`\e`)
		case r == '-':
			b.WriteString(`\-`)
		case r == '\'':
			b.WriteString(`\(aq`)
		case r == '`' || r == '^' || r == '~' || r == '"':
			fmt.Fprintf(&b, `\(%s`, map[rune]string{'`': "ga", '^': "ha", '~': "ti", '"': "dq"}[r])
		case r > '~':
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	if s := b.String(); !strings.HasPrefix(s, ".") {
		return s
	}
	return `\&` + b.String()
}

// Line writes a line of roff. Of its arguments, texts are escaped.
func (m *Page) Line(format string, args ...any) {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = escape(s)
		}
	}
	fmt.Fprintf(m, format+"\n", args...)
}

// Head begins the page of a version of toaster; about is the line that apropos(1) prints.
func (m *Page) Head(name, section, about, version string) {
	m.Line(`.TH %s %s "" "%s" "toaster"`, strings.ToUpper(name), section, "toaster "+version)
	m.Line(".SH NAME")
	m.Line(`%s \- %s`, name, about)
}

// Prose writes paragraphs; indented ones are examples.
func (m *Page) Prose(text string) {
	for _, p := range strings.Split(strings.TrimSpace(text), "\n\n") {
		m.Line(".PP")
		if strings.HasPrefix(p, "    ") {
			m.Example(p)
		} else {
			m.Line("%s", strings.Join(strings.Fields(p), " "))
		}
	}
}

// Example writes lines as they are.
func (m *Page) Example(text string) {
	m.Line(".RS 4\n.EX")
	for _, line := range strings.Split(text, "\n") {
		m.Line("%s", strings.TrimPrefix(line, "    "))
	}
	m.Line(".EE\n.RE")
}

// Command describes a command as its --help does.
func (m *Page) Command(c *kong.Node) {
	_, name, _ := strings.Cut(c.FullPath(), " ")
	m.Line(".SS %s", c.FullPath())
	m.Line(".B %s", c.FullPath())
	m.Line("%s", strings.TrimSpace(strings.TrimPrefix(c.Summary(), name)))
	m.Prose(c.Help)
	if c.Detail != "" {
		m.Prose(c.Detail)
	}
	for _, p := range c.Positional {
		m.Line(".TP\n.I %s", p.Name)
		m.Line("%s", p.Help)
	}
	for _, flag := range c.Flags {
		m.Flag(flag)
	}
}

// Flag describes an option.
func (m *Page) Flag(f *kong.Flag) {
	m.Line(".TP\n.B %s", f.String())
	m.Line("%s", f.Help)
}
