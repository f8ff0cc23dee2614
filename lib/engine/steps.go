package engine

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"unicode"

	"toaster.do/lib/store"
)

// stepMark begins the line that a blend prints before each step: "TOASTER-STEP n/m LINE instruction".
const stepMark = "TOASTER-STEP "

// Step is what a step's line in a log says.
type Step struct {
	Number, Of  int
	Line        int // in the Dockerfile
	Instruction string
}

// ParseStep reads a line of a log; ok is false when it isn't a step's.
func ParseStep(line []byte) (s Step, ok bool) {
	rest, ok := bytes.CutPrefix(bytes.TrimRight(line, "\r\n"), []byte(stepMark))
	if !ok {
		return s, false
	}
	fields := bytes.SplitN(rest, []byte(" "), 3)
	n, m, slash := bytes.Cut(fields[0], []byte("/"))
	if !slash || len(fields) < 2 {
		return s, false
	}
	var errs [3]error
	s.Number, errs[0] = strconv.Atoi(string(n))
	s.Of, errs[1] = strconv.Atoi(string(m))
	s.Line, errs[2] = strconv.Atoi(string(fields[1]))
	if len(fields) == 3 {
		s.Instruction = string(fields[2])
	}
	return s, errs == [3]error{} && s.Number > 0 && s.Number <= s.Of
}

// FailMark begins the last line of a build script that gives up: "toaster: failed: why".
const FailMark = "toaster: failed: "

// BrokenMark begins the line that a blend prints when a step has failed: "TOASTER-FAILED n/m LINE exit STATUS".
const BrokenMark = "TOASTER-FAILED "

// packMark begins the line that a build script prints when the Dockerfile's steps are done, and the image is to be packed.
const packMark = "toaster: packing "

// Packs tells whether a line of a log says that the steps are over.
func Packs(line []byte) bool { return bytes.HasPrefix(line, []byte(packMark)) }

// scanRunning searches what is new in the logs of a job's open builds for steps.
func (s *Follower) scanRunning(ctx context.Context, job *store.Job) error {
	pending, err := s.Store.Pending(ctx, job.ID)
	if err != nil {
		return err
	}
	for _, b := range pending {
		if b.EngineNumber > 0 && b.State == string(Running) {
			if err := s.scan(ctx, job, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxScan bounds what one call of scan reads: 64 chunks are 16 MiB of log.
const maxScan = 64

// scan searches a build's log from where the last scan ended.
func (s *Follower) scan(ctx context.Context, job *store.Job, b *store.Build) error {
	for range maxScan {
		c, err := s.Engine.Log(ctx, job.EngineName, b.EngineNumber, b.Scanned)
		if err != nil {
			return err
		}
		if c.Next <= b.Scanned {
			break
		}
		whole := c.Text
		// A line that is still being written is read again with the next chunk; the engine's offsets can't be
		// computed from the text, so that the whole chunk is.
		if cut := bytes.LastIndexByte(whole, '\n') + 1; cut < len(whole) && c.More && len(whole) < MaxChunk {
			readLog(b, whole[:cut])
			break
		}
		readLog(b, whole)
		b.Scanned = c.Next
		if err := s.Store.Scanned(ctx, b); err != nil {
			return err
		}
	}
	return s.Store.Scanned(ctx, b)
}

// readLog takes from a part of a log what it says of the build.
func readLog(b *store.Build, text []byte) {
	for line := range bytes.Lines(text) {
		if step, ok := ParseStep(line); ok {
			b.Step, b.Steps, b.StepLine = step.Number, step.Of, step.Line
		}
		if why, ok := bytes.CutPrefix(line, []byte(FailMark)); ok {
			b.Failure = sentence(why)
		}
	}
}

// sentence makes a line of a log fit for a page: printable, at most 500 characters, with a capital.
func sentence(line []byte) string {
	text := []rune(Printable(string(line), 500))
	if len(text) > 0 {
		text[0] = unicode.ToUpper(text[0])
	}
	return string(text)
}

// Printable leaves out what can't be printed, and what is too long.
func Printable(s string, most int) string {
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
