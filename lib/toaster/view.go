package main

import (
	"fmt"
	"unicode/utf8"
)

// view shows how a build goes on.
type view interface {
	queued(b *build)
	state(b *build)
	repeated(b *build) // the site builds it again, as another number
	log(offset int64, text []byte)
	end(b *build) // nil: nobody looks any longer
}

// view is how this run shows a build: to a program, on a terminal, or as the bytes of the log.
func (w *world) view() view {
	switch out := terminal(w.out); {
	case w.json:
		return &jsonView{w: w}
	case out != nil:
		return newTerminalView(w, out)
	}
	return &plainView{w: w}
}

// plainView prints the log as it is on standard output, and all else on standard error.
type plainView struct {
	w     *world
	place int
}

func (v *plainView) queued(b *build) {
	if b.QueuePlace != v.place {
		v.w.note("Queued: place %d", b.QueuePlace)
	}
	v.place = b.QueuePlace
}

func (v *plainView) state(*build) {}
func (v *plainView) repeated(b *build) {
	v.w.note("Interrupted; the site starts it again as build %d.", b.RepeatedBy)
}
func (v *plainView) log(_ int64, text []byte) { v.w.out.Write(text) }
func (v *plainView) end(*build)               {}

// jsonView prints events.
type jsonView struct {
	w     *world
	place int
	is    string
	lines lines
}

func (v *jsonView) queued(b *build) {
	if b.QueuePlace != v.place || v.is == "" {
		v.w.event("state", map[string]any{"state": b.State, "queue_place": b.QueuePlace})
	}
	v.place, v.is = b.QueuePlace, b.State
}

func (v *jsonView) state(b *build) {
	if b.State != v.is {
		v.w.event("state", map[string]any{"state": b.State})
	}
	v.is = b.State
}

func (v *jsonView) repeated(b *build) {
	v.w.event("repeated", map[string]any{"number": b.RepeatedBy})
	v.lines = lines{}
}

func (v *jsonView) log(offset int64, text []byte) {
	if len(text) == 0 {
		return
	}
	if utf8.Valid(text) {
		v.w.event("log", map[string]any{"offset": offset, "text": string(text)})
	} else {
		v.w.event("log", map[string]any{"offset": offset, "text64": text})
	}
	for _, line := range v.lines.add(text) {
		switch m := parseMark(line); m.kind {
		case stepBegins:
			v.w.event("step", map[string]any{"step": m.step, "of": m.of, "line": m.line, "instruction": m.text})
		case phaseBegins:
			v.w.event("phase", map[string]any{"name": m.text, "at": m.at})
		}
	}
}

func (v *jsonView) end(*build) {}

// lines cuts a text that comes in pieces.
type lines struct{ rest []byte }

func (l *lines) add(text []byte) (whole []string) {
	l.rest = append(l.rest, text...)
	for i := 0; i < len(l.rest); {
		if l.rest[i] == '\n' {
			whole = append(whole, string(l.rest[:i]))
			l.rest, i = l.rest[i+1:], 0
			continue
		}
		i++
	}
	return whole
}

// marks are lines of the site's own in a log (conf/api.md).
type mark struct {
	kind           markKind
	step, of, line int
	text           string  // a step's instruction, or a phase's name
	at             float64 // when a phase begins, seconds since 1970
}

type markKind int

const (
	noMark markKind = iota
	stepBegins
	stepFailed
	phaseBegins
	wasCached
	reason4Program
)

func parseMark(line string) (m mark) {
	var exit int
	switch {
	case scan(line, "TOASTER-STEP %d/%d %d", &m.step, &m.of, &m.line):
		m.kind, m.text = stepBegins, words(line, 3)
	case scan(line, "TOASTER-FAILED %d/%d %d exit %d", &m.step, &m.of, &m.line, &exit):
		m.kind = stepFailed
	case scan(line, "TOASTER-PHASE %s %f", &m.text, &m.at):
		m.kind = phaseBegins
	case line == "TOASTER-CACHED":
		m.kind = wasCached
	case len(line) > 12 && line[:12] == "TOASTER-WHY ":
		m.kind = reason4Program
	}
	return m
}

func scan(line, format string, into ...any) bool {
	if len(line) < 8 || line[:8] != "TOASTER-" {
		return false
	}
	n, _ := fmt.Sscanf(line, format, into...)
	return n == len(into)
}

// words is what follows n words of a line.
func words(line string, n int) string {
	for i := range len(line) {
		if line[i] == ' ' {
			if n--; n == 0 {
				return line[i+1:]
			}
		}
	}
	return ""
}
