package engine

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"toaster.do/lib/i18n"
	"toaster.do/lib/printable"
)

// What toaster's own lines in a log begin with. No program of a build can print such a line: the sandbox puts a space
// before it.
const (
	stepMark   = "TOASTER-STEP "     // before each step: n/m LINE instruction
	brokenMark = "TOASTER-FAILED "   // when a step has failed: n/m LINE exit STATUS
	phaseMark  = "TOASTER-PHASE "    // when a phase begins: its name, and when, in seconds since 1970
	cachedMark = "TOASTER-CACHED"    // what the phase makes was there already
	whyMark    = "TOASTER-WHY "      // before the next: its format and its arguments, with tabs between
	failMark   = "toaster: failed: " // the last line of a script that gives up: why
	packMark   = "toaster: packing " // the steps are done, and the image is to be packed
)

// Kind is what a mark in a log says.
type Kind int

// The kinds of marks.
const (
	NoMark Kind = iota
	StepBegins
	StepFailed // its number and line are those of the step
	PhaseBegins
	WasCached
	PackingBegins
	ScriptFailed
	ScriptReason // of the ScriptFailed that follows
)

// Step is what a step's line in a log says.
type Step struct {
	Number, Of  int
	Line        int // in the Dockerfile
	Instruction string
}

// Mark is a line of toaster's own in a log.
type Mark struct {
	Kind   Kind
	Step   Step      // of StepBegins and StepFailed
	Exit   int       // of StepFailed
	Phase  string    // of PhaseBegins: prepare, step, pack, check, end
	At     time.Time // of PhaseBegins
	Why    string    // of ScriptFailed
	Reason i18n.Text // of ScriptReason
}

// ParseMark reads a line of a log, with or without its end. A line that is no mark, or not a whole one, is NoMark.
func ParseMark(line []byte) (m Mark) {
	text := string(bytes.TrimRight(line, "\r\n"))
	if rest, ok := strings.CutPrefix(text, stepMark); ok {
		if m.Step, m.Step.Instruction, ok = parsePlace(rest); ok && m.Step.Number > 0 {
			m.Kind = StepBegins
		}
	} else if rest, ok := strings.CutPrefix(text, brokenMark); ok {
		var status string
		if m.Step, status, ok = parsePlace(rest); ok {
			status, ok = strings.CutPrefix(status, "exit ")
			if exit, err := strconv.Atoi(status); ok && err == nil {
				m.Kind, m.Exit = StepFailed, exit
			}
		}
	} else if rest, ok := strings.CutPrefix(text, phaseMark); ok {
		name, at, _ := strings.Cut(rest, " ")
		if seconds, err := strconv.ParseFloat(at, 64); err == nil && seconds >= 0 && seconds < 1e11 &&
			strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") == "" {
			m = Mark{Kind: PhaseBegins, Phase: name, At: time.UnixMilli(int64(seconds*1000 + 0.5))}
		}
	} else if text == cachedMark {
		m.Kind = WasCached
	} else if why, ok := strings.CutPrefix(text, whyMark); ok {
		if m.Reason = parseReason(why); !m.Reason.IsZero() {
			m.Kind = ScriptReason
		}
	} else if why, ok := strings.CutPrefix(text, failMark); ok {
		m.Kind, m.Why = ScriptFailed, why
	} else if strings.HasPrefix(text, packMark) {
		m.Kind = PackingBegins
	}
	if m.Kind == NoMark {
		return Mark{}
	}
	return m
}

// IsMark tells whether a line that is still being written may be one that no page shows as it is.
func IsMark(line []byte) bool { return bytes.HasPrefix(line, []byte("TOASTER-")) }

// parsePlace reads "n/m LINE …".
func parsePlace(text string) (s Step, rest string, ok bool) {
	place, rest, _ := strings.Cut(text, " ")
	line, rest, _ := strings.Cut(rest, " ")
	number, of, _ := strings.Cut(place, "/")
	var errs [3]error
	s.Number, errs[0] = strconv.Atoi(number)
	s.Of, errs[1] = strconv.Atoi(of)
	s.Line, errs[2] = strconv.Atoi(line)
	return s, rest, errs == [3]error{} && 0 <= s.Number && s.Number <= s.Of && s.Line >= 0
}

// parseReason reads "FORMAT⇥ARGUMENT…". Scripts begin in lower case; a text for people does not.
func parseReason(why string) i18n.Text {
	words := strings.Split(why, "\t")
	key := i18n.Key(strings.ToUpper(words[0][:min(1, len(words[0]))]) + words[0][min(1, len(words[0])):])
	if i18n.Verbs(key) != len(words)-1 {
		return i18n.Text{}
	}
	var args []any
	for _, w := range words[1:] {
		args = append(args, printable.Shorten(w, 500))
	}
	return i18n.T(key, args...)
}

// Scanner cuts a log, which comes in pieces of any size, into its lines. The zero value is at the beginning of a log.
type Scanner struct {
	Rest []byte // the beginning of a line whose end has not come
}

// longestLine is how much of a line is kept; nobody needs more to know what it says.
const longestLine = 8 << 10

// Scan gives each the lines that end in a piece of the log, and keeps the rest for the next one.
func (s *Scanner) Scan(piece []byte, each func(line []byte, m Mark)) {
	for line := range bytes.Lines(piece) {
		ended := bytes.HasSuffix(line, []byte("\n"))
		if len(s.Rest) == 0 && ended {
			emit(line, each)
			continue
		}
		s.Rest = append(s.Rest, line[:min(len(line), max(0, longestLine-len(s.Rest)))]...)
		if ended {
			s.End(each)
		}
	}
}

// End gives each the last line of a log, where that has no end of its own.
func (s *Scanner) End(each func(line []byte, m Mark)) {
	if len(s.Rest) > 0 {
		emit(s.Rest, each)
		s.Rest = nil
	}
}

func emit(line []byte, each func(line []byte, m Mark)) {
	line = bytes.TrimRight(line[:min(len(line), longestLine)], "\r\n")
	each(line, ParseMark(line))
}
