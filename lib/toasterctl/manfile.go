package main

import (
	"slices"
	"strings"

	"toaster.do/lib/app"
)

// about is the line that apropos(1) prints.
var about = map[string]string{"toaster.toml": "configuration of toaster",
	"targets.toml": "what images toaster can build"}

// file writes the page of a configuration file from its comments. Keys that follow a comment are what it tells of; the
// first of a file's [[entries]] becomes an example.
func (m *roff) file(name, text string) {
	m.Head(name, "5", about[name], app.Version)
	m.Line(".SH SYNOPSIS\n.I %s", "/etc/toaster/"+name)
	m.Line(".SH DESCRIPTION")
	blocks := strings.Split(strings.TrimSpace(text), "\n\n")
	for _, block := range blocks {
		if strings.HasPrefix(block, "[[") {
			m.Line(".SH EXAMPLE")
			m.Example(block)
			break
		}
		m.block(strings.Split(block, "\n"))
	}
	m.Line(".SH SEE ALSO")
	for _, other := range []string{"toaster.toml", "targets.toml"} {
		if other != name {
			m.Line(".BR %s (5),", other)
		}
	}
	m.Line(".BR toasterctl (8)")
}

// block writes lines without an empty one among them.
func (m *roff) block(lines []string) {
	if strings.HasPrefix(lines[0], "[") {
		m.Line(".SS %s", lines[0])
		lines = lines[1:]
	}
	for len(lines) > 0 {
		n := slices.IndexFunc(lines, func(l string) bool { return l[0] != '#' })
		if n < 0 {
			n = len(lines)
		}
		comment := lines[:n]
		lines = lines[n:]
		n = slices.IndexFunc(lines, func(l string) bool { return l[0] == '#' })
		if n < 0 {
			n = len(lines)
		}
		m.keys(lines[:n], comment)
		lines = lines[n:]
	}
}

// keys writes what a comment says of some keys: of none, it is prose; with none, they are an example.
func (m *roff) keys(keys, comment []string) {
	switch {
	case len(comment) == 0:
		m.Line(".PP")
		m.Example(strings.Join(keys, "\n"))
		return
	case len(keys) == 0:
		m.Line(".PP")
	case keys[0][0] == '[':
		m.Line(".SS %s", keys[0])
		m.keys(nil, comment)
		m.keys(keys[1:], nil)
		return
	}
	for i, key := range keys {
		m.Line(map[bool]string{true: ".TP", false: ".TQ"}[i == 0])
		m.Line(".B %s", key)
	}
	for _, line := range comment {
		line = strings.TrimPrefix(strings.TrimPrefix(line, "#"), " ")
		if term, what, ok := strings.Cut(strings.TrimPrefix(line, "  "), "  "); ok && strings.HasPrefix(line, "  ") &&
			term != "" {
			m.Line(".TP\n.B %s", term)
			line = what
		}
		m.Line("%s", strings.TrimSpace(line))
	}
}
