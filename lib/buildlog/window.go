package buildlog

import (
	"bytes"
	"math"
	"unicode/utf8"

	"toaster.do/lib/engine"
)

// How much of a log a window shows at most.
const (
	MaxBytes = 64 << 10
	MaxLines = 1000
)

// Read reads a log, as build.Service does: from an offset on.
type Read func(offset int64) (engine.Chunk, error)

// Window is a part of a log: whole lines, one after the other.
type Window struct {
	From, Next int64  // where it begins, and where the log goes on after it
	Lines      []Line // each with its end, but for a last one that has none
	More       bool   // there is more after it, or there will be
	Unfinished []byte // the line after it, which is still being written: Next is where it begins
}

// Line is a line of a log.
type Line struct {
	Offset int64 // where it begins, as far as the engine's offsets can be computed from the text
	Text   []byte
}

// From is the window that begins at an offset, which begins a line. A line that is still being written belongs to the
// next one, too.
func From(read Read, offset int64) (Window, error) {
	c, err := read(offset)
	if err != nil {
		return Window{}, err
	}
	m := measure{exact: c.Next-offset == int64(len(c.Text))}
	text := c.Text[:min(len(c.Text), MaxBytes)]
	if len(text) < len(c.Text) || c.More {
		text = whole(text)
	}
	text = first(text, MaxLines)
	next := c.Next
	rest := c.Text[len(text):]
	if bytes.IndexByte(rest, '\n') < 0 {
		next -= m.raw(rest)
	} else {
		next, rest = offset+m.raw(text), nil
	}
	w := m.window(min(offset, c.Next), next, text, c.More || len(text) < len(c.Text))
	w.Unfinished = rest
	return w, nil
}

// Until is the window that ends where another, at offset, begins.
func Until(read Read, offset int64) (Window, error) {
	start := max(0, offset-MaxBytes)
	c, err := read(start)
	if err != nil {
		return Window{}, err
	}
	m := measure{exact: c.Next-start == int64(len(c.Text))}
	cut := m.length(c.Text, offset-start)
	if !m.exact { // rather show a line twice than leave one out
		if end := bytes.IndexByte(c.Text[cut:], '\n'); end >= 0 {
			cut += end + 1
		}
	}
	return m.ending(c.Text[:cut], start, min(offset, c.Next), true), nil
}

// End is the window at the log's end.
func End(read Read) (Window, error) {
	end, err := read(math.MaxInt64)
	if err != nil {
		return Window{}, err
	}
	start := max(0, end.Next-MaxBytes)
	c, err := read(start)
	if err != nil {
		return Window{}, err
	}
	m := measure{exact: c.Next-start == int64(len(c.Text))}
	text, next := c.Text, c.Next
	var rest []byte
	if kept := whole(text); c.More && len(kept) < len(text) {
		rest = text[len(kept):]
		next -= m.raw(rest)
		text = kept
	}
	w := m.ending(text, start, next, c.More)
	w.Unfinished = rest
	return w, nil
}

// ending is a window whose lines end at next. The first line of a text that doesn't begin the log may be half a line;
// it is left out where another follows.
func (m measure) ending(text []byte, start, next int64, more bool) Window {
	kept := text
	if half := bytes.IndexByte(text, '\n') + 1; start > 0 && half < len(text) {
		kept = text[half:]
	}
	kept = last(kept, MaxLines)
	// Where the two differ, the later one makes the window before this one end later: lines come twice.
	from := max(start+m.raw(text[:len(text)-len(kept)]), next-m.raw(kept))
	return m.window(from, next, kept, more)
}

func (m measure) window(from, next int64, text []byte, more bool) Window {
	w := Window{From: from, Next: next, More: more}
	at := from
	for line := range bytes.Lines(text) {
		w.Lines = append(w.Lines, Line{at, line})
		at += m.raw(line)
	}
	return w
}

// measure computes offsets from text. An engine's offsets count what it keeps, which may be another text than what it
// gives: one byte for what has become U+FFFD is the difference that matters.
type measure struct{ exact bool }

var replaced = []byte(string(utf8.RuneError))

// raw is how long a text is in the engine's log.
func (m measure) raw(text []byte) int64 {
	if m.exact {
		return int64(len(text))
	}
	return int64(len(text) - (len(replaced)-1)*bytes.Count(text, replaced))
}

// length is how much of the text's beginning takes n bytes in the engine's log.
func (m measure) length(text []byte, n int64) int {
	if m.exact {
		return int(min(n, int64(len(text))))
	}
	at := 0
	for n > 0 && at < len(text) {
		if bytes.HasPrefix(text[at:], replaced) {
			at += len(replaced)
		} else {
			at++
		}
		n--
	}
	return at
}

// whole leaves a last line without its end out, unless there is nothing else and it is longer than any window.
func whole(text []byte) []byte {
	if end := bytes.LastIndexByte(text, '\n') + 1; end > 0 || len(text) < MaxBytes {
		return text[:end]
	}
	return text
}

func first(text []byte, lines int) []byte {
	at := 0
	for range lines {
		end := bytes.IndexByte(text[at:], '\n')
		if end < 0 {
			return text
		}
		at += end + 1
	}
	return text[:at]
}

func last(text []byte, lines int) []byte {
	at := len(text)
	if at > 0 && text[at-1] == '\n' {
		at--
	}
	for range lines {
		if at = bytes.LastIndexByte(text[:at], '\n'); at < 0 {
			return text
		}
	}
	return text[at+1:]
}
