// Package buildlog shows a build's log on a page: a window of it at a time, folded by step, each line with an address
// of its own, in the colours that the build's programs chose.
package buildlog

import (
	"bytes"
	"html"
	"strings"

	terminal "github.com/buildkite/terminal-to-html/v3"

	"toaster.do/lib/view"
)

// Text renders lines, without addresses of their own.
func Text(lines []byte) view.HTML {
	var b strings.Builder
	var now style
	for line := range bytes.Lines(lines) {
		b.WriteString(lineHTML(line, &now) + "\n")
	}
	return view.HTML(b.String())
}

// lineHTML renders a line of a log, without its end, as a terminal would show it: colours, what a progress bar has
// written over. It begins in the style that the line before has left, and leaves its own. All other sequences and
// controls are as view.Clean leaves them. The classes of colours are those of terminal-to-html: "term-fg31".
func lineHTML(line []byte, now *style) string {
	line = bytes.TrimRight(line, "\r\n")
	if *now == (style{}) && !bytes.ContainsAny(line, "\x1b\r\b") {
		return html.EscapeString(view.Clean(string(line)))
	}
	if drawn := draw(view.CleanBut(now.dress(string(line)), drawable)); ours(drawn) {
		return drawn
	}
	return html.EscapeString(view.Clean(string(line)))
}

// drawable tells what the terminal library gets to see. It knows pictures and links, too, which are a stranger's: those
// stay out.
func drawable(sequence string) bool {
	if sequence == "\r" || sequence == "\b" {
		return true
	}
	parameters, ok := strings.CutPrefix(sequence, "\x1b[")
	if !ok {
		return false
	}
	final := parameters[len(parameters)-1]
	parameters = parameters[:len(parameters)-1]
	return (final == 'm' || final == 'K') && strings.Trim(parameters, "0123456789;") == ""
}

// draw lets the library render one line, on a screen that it fits on.
func draw(line string) string {
	screen, err := terminal.NewScreen(terminal.WithSize(len(line)+1, 1))
	if err != nil {
		return "<" // none of ours
	}
	screen.Write([]byte(line))
	drawn := screen.AsHTMLWithTimestamps(false)
	if drawn == "&nbsp;" { // how the library shows an empty line
		return ""
	}
	return drawn
}

// ours tells whether HTML has no tags but those that colour text.
func ours(s string) bool {
	depth := 0
	for {
		_, rest, more := strings.Cut(s, "<")
		if !more {
			return depth == 0
		}
		tag, after, closed := strings.Cut(rest, ">")
		if !closed {
			return false
		}
		if tag == "/span" {
			depth--
		} else {
			classes, ok := strings.CutPrefix(tag, `span class="`)
			classes, quoted := strings.CutSuffix(classes, `"`)
			if !ok || !quoted || strings.Trim(classes, "abcdefghijklmnopqrstuvwxyz0123456789- ") != "" {
				return false
			}
			depth++
		}
		if depth < 0 {
			return false
		}
		s = after
	}
}
