package jobs

import (
	"bytes"
	"regexp"
	"strings"

	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
)

// Failure is what a person wants to know first of a build that has failed.
type Failure struct {
	Step   *engine.Step // the step that failed; nil: it was none
	Exit   int          // its exit code; 0: unknown
	Output []byte       // the last lines that were printed before
	Cause  *Cause       // what is known to lead to this; nil: nothing
}

// How much of a failed step's output is shown, and how much of it is searched for a cause.
const (
	shownLines    = 12
	searchedBytes = 16 << 10
)

// Explain says why a build failed, from what is known of it and the end of its log.
func Explain(b *store.Build, log []byte) *Failure {
	f := &Failure{}
	if b.Step > 0 && b.Phase != "pack" && b.Phase != "check" {
		f.Step = &engine.Step{Number: b.Step, Of: b.Steps, Line: b.StepLine}
	}
	var lines [][]byte
	var scan engine.Scanner
	over := false // what comes then, the step has not printed
	each := func(line []byte, m engine.Mark) {
		switch m.Kind {
		case engine.StepBegins:
			f.Step, lines, over = &m.Step, nil, false
		case engine.PhaseBegins:
			if m.Phase == "pack" || m.Phase == "check" {
				f.Step, lines, over = nil, nil, false
			}
		case engine.PackingBegins:
			f.Step, lines, over = nil, nil, false
		case engine.StepFailed:
			f.Exit, over = m.Exit, true
			if f.Step == nil && m.Step.Number > 0 {
				f.Step = &m.Step
			}
		case engine.NoMark:
			if !over && len(bytes.TrimSpace(line)) > 0 {
				lines = append(lines, bytes.Clone(line))
			}
		}
	}
	scan.Scan(log, each)
	scan.End(each)
	instruction, said := "", b.Failure
	if strings.HasPrefix(said.String(), "Line ") { // it repeats the instruction
		said = i18n.Text{}
	}
	if f.Step != nil {
		instruction = f.Step.Instruction
	}
	output := bytes.Join(lines, []byte("\n"))
	f.Cause = Diagnose(b.Reason.String(), said.String(), instruction,
		colourless(output[max(0, len(output)-searchedBytes):]))
	f.Output = bytes.Join(lines[max(0, len(lines)-shownLines):], []byte("\n"))
	return f
}

// colourless leaves the sequences out that choose colours.
func colourless(text []byte) []byte {
	if !bytes.Contains(text, []byte("\x1b[")) {
		return text
	}
	return regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]").ReplaceAll(text, nil)
}
