package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode"
)

// terminalView shows a build on a terminal, as docker build does: a heading for each step, what it prints below
// that, how long it took, and a last line that tells the time.
type terminalView struct {
	w     *world
	to    *os.File
	style bool

	lock   sync.Mutex // of all that follows
	lines  lines
	begun  time.Time // of the build, as seen from here
	title  string    // what the last line says
	at     float64   // when the phase has begun, by the log
	phase  string
	open   bool // a heading has been printed, and not when it was done
	cached bool
	failed bool
	status bool // the last line is there
	over   bool
	stop   chan struct{}
}

func newTerminalView(w *world, to *os.File) *terminalView {
	v := &terminalView{w: w, to: to, style: os.Getenv("NO_COLOR") == "", begun: time.Now(), stop: make(chan struct{})}
	enableColours(to)
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-v.stop:
				return
			case <-tick.C:
				v.lock.Lock()
				v.tell()
				v.lock.Unlock()
			}
		}
	}()
	return v
}

// tell draws the last line.
func (v *terminalView) tell() {
	if v.title != "" && !v.over {
		fmt.Fprintf(v.to, "\r\x1b[K%s", v.colour("2", v.title+" · "+short(time.Since(v.begun).Round(time.Second))))
		v.status = true
	}
}

// print prints a line above the last one.
func (v *terminalView) print(text string) {
	if v.status {
		fmt.Fprint(v.to, "\r\x1b[K")
		v.status = false
	}
	fmt.Fprintln(v.to, text)
}

func (v *terminalView) colour(code, text string) string {
	if !v.style {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (v *terminalView) queued(b *build) {
	v.lock.Lock()
	defer v.lock.Unlock()
	v.title = "queued"
	if b.QueuePlace > 0 {
		v.title = fmt.Sprintf("queued, place %d", b.QueuePlace)
	}
	v.tell()
}

func (v *terminalView) state(b *build) {
	v.lock.Lock()
	defer v.lock.Unlock()
	if b.State == "running" {
		v.title, v.begun = "running", time.Now()
	}
}

func (v *terminalView) repeated(b *build) {
	v.lock.Lock()
	defer v.lock.Unlock()
	v.print(fmt.Sprintf("The build was interrupted; the site starts it again as build %d.", b.RepeatedBy))
	v.lines, v.open, v.phase, v.failed = lines{}, false, "", false
}

func (v *terminalView) log(_ int64, text []byte) {
	v.lock.Lock()
	defer v.lock.Unlock()
	for _, line := range v.lines.add(text) {
		v.line(strings.TrimSuffix(line, "\r"))
	}
	v.tell()
}

func (v *terminalView) line(line string) {
	switch m := parseMark(line); m.kind {
	case phaseBegins:
		v.done(m.at)
		v.phase, v.at, v.cached = m.text, m.at, false
		if m.text != "step" && m.text != "end" {
			v.heading(phases[m.text], m.text)
		}
	case stepBegins:
		if v.phase != "step" {
			v.done(0)
		}
		v.heading(fmt.Sprintf("[%d/%d] %s", m.step, m.of, m.text), fmt.Sprintf("step %d of %d", m.step, m.of))
	case stepFailed:
		v.failed = true
	case wasCached:
		v.cached = true
	case reason4Program:
	default:
		v.print(v.colour("2", " │ ") + v.drawn(line))
	}
}

// phases are what a build does, for people.
var phases = map[string]string{"prepare": "prepare the base system",
	"pack": "pack the image", "check": "check the image"}

func (v *terminalView) heading(text, title string) {
	if text == "" {
		text = title
	}
	v.print(v.colour("1;36", "=> "+clean(text)))
	v.open, v.title = true, clean(title)
}

// done says how long the phase took that was open; at is when, by the log, and 0 where that is unknown.
func (v *terminalView) done(at float64) {
	if !v.open {
		return
	}
	v.open = false
	took := ""
	if at > 0 && v.at > 0 && at >= v.at {
		took = " " + short(time.Duration((at-v.at)*float64(time.Second)))
	}
	switch {
	case v.failed:
		v.print(v.colour("1;31", "=> FAILED"+took))
	case v.cached:
		v.print(v.colour("32", "=> CACHED"))
	default:
		v.print(v.colour("32", "=> DONE"+took))
	}
}

func (v *terminalView) end(b *build) {
	v.lock.Lock()
	defer v.lock.Unlock()
	if v.over {
		return
	}
	if rest := string(v.lines.rest); rest != "" && b != nil {
		v.line(rest)
	}
	if b != nil {
		v.failed = v.failed || b.State != "succeeded"
		v.done(0)
	}
	if v.status {
		fmt.Fprint(v.to, "\r\x1b[K")
	}
	v.over = true
	close(v.stop)
}

var (
	sgr     = regexp.MustCompile("\x1b\\[[0-9;:]*m")
	control = regexp.MustCompile("\x1b(\\[[0-?]*[ -/]*[@-~]|[\\]PX^_][^\x07\x1b]*(\x07|\x1b\\\\)?|[ -/]*[0-~])")
)

// drawn is a line of a log, with its colours, and without all else that a terminal would obey.
func (v *terminalView) drawn(line string) string {
	if i := strings.LastIndexByte(line, '\r'); i >= 0 { // of a progress bar, what it showed in the end
		line = line[i+1:]
	}
	var b strings.Builder
	for line != "" {
		at := strings.IndexByte(line, 0x1b)
		if at < 0 {
			b.WriteString(clean(line))
			break
		}
		b.WriteString(clean(line[:at]))
		line = line[at:]
		n := 1
		if m := control.FindStringIndex(line); m != nil && m[0] == 0 {
			n = m[1]
		}
		if s := line[:n]; v.style && sgr.MatchString(s) {
			b.WriteString(s)
		}
		line = line[n:]
	}
	if v.style {
		b.WriteString("\x1b[0m")
	}
	return b.String()
}

// clean takes out what moves a cursor.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return -1
	}, s)
}
