package dockerfile

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"toaster.do/lib/i18n"
)

// parsed is a Dockerfile after BuildKit's parser: its stages, and the ARGs before the first FROM.
type parsed struct {
	escape rune
	stages []instructions.Stage
	args   []instructions.ArgCommand
}

// parse reads the Dockerfile; what BuildKit's parser warns of goes to lint. Nil means that an error was reported to r.
func parse(text []byte, lint *linter.Linter, r *report) (p *parsed) {
	if message, advice := Mistaken(text); message != "" {
		r.failAt(1, "NotADockerfile", message, advice)
		return nil
	}
	if !utf8.Valid(text) {
		r.failAt(badLine(text), "NotUTF8", "The Dockerfile is not UTF-8 text.",
			"Save it as UTF-8; a compressed or binary file is not a Dockerfile.")
		return nil
	}
	if at := bytes.IndexByte(text, 0); at >= 0 {
		r.failAt(1+bytes.Count(text[:at], []byte("\n")), "NotUTF8", "The Dockerfile contains a NUL character.",
			"Save it as plain UTF-8 text.")
		return nil
	}
	if len(bytes.TrimSpace(text)) == 0 {
		r.failAt(0, "Empty", "The Dockerfile is empty.", "Start with a FROM line, such as FROM %s.", r.plain)
		return nil
	}
	if line := tooDeep(text); line > 0 {
		r.failAt(line, "TooComplex", "More than %d ${ are nested.", "Set a variable to the inner part first.", deepest)
		return nil
	}
	result, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		r.syntax(err)
		return nil
	}
	for _, w := range result.Warnings {
		if w.URL == linter.RuleNoEmptyContinuation.URL {
			lint.Run(&linter.RuleNoEmptyContinuation, []parser.Range{*w.Location}, linter.RuleNoEmptyContinuation.Format())
		}
	}
	stages, args, err := instructions.Parse(result.AST, lint)
	if err != nil {
		r.syntax(err)
		return nil
	}
	if len(stages) == 0 {
		r.failAt(0, "Syntax", "The Dockerfile has no FROM.", "Start with a FROM line, such as FROM %s.", r.plain)
		return nil
	}
	return &parsed{escape: result.EscapeToken, stages: stages, args: args}
}

// deepest is how many ${…} may be inside of each other: BuildKit's parser copies the word once for each.
const deepest = 100

// tooDeep returns the line where an instruction goes deeper; 0: none does. It takes no notice of quotes and heredocs.
func tooDeep(text []byte) int {
	number, depth := 0, 0
	for line := range bytes.Lines(text) {
		number++
		for i, b := range line {
			switch {
			case b == '{' && i > 0 && line[i-1] == '$':
				if depth++; depth > deepest {
					return number
				}
			case b == '}':
				depth = max(0, depth-1)
			}
		}
		if end := bytes.TrimRight(line, " \t\r\n"); !bytes.HasSuffix(end, []byte("\\")) &&
			!bytes.HasSuffix(end, []byte("`")) && !bytes.HasPrefix(bytes.TrimSpace(end), []byte("#")) && len(end) > 0 {
			depth = 0
		}
	}
	return 0
}

func badLine(text []byte) int {
	line := 1
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n == 1 {
			return line
		}
		if r == '\n' {
			line++
		}
		text = text[n:]
	}
	return line
}

// report collects findings.
type report struct {
	findings []Finding
	plain    string // the image that advice names
}

func (r *report) add(f Finding) {
	f.Message, f.Advice = shortened(f.Message), shortened(f.Advice)
	if f.EndLine < f.Line {
		f.EndLine = f.Line
	}
	r.findings = append(r.findings, f)
}

// failAt adds an error at a line; 0: at none.
func (r *report) failAt(line int, rule string, message, advice i18n.Key, args ...any) {
	f := finding(rule, Error, message, advice, args...)
	f.Line = line
	r.add(f)
}

// shortened bounds a text that quotes a word, which may be anything.
func shortened(t i18n.Text) i18n.Text {
	const most = 1000
	if s := t.String(); len(s) > most {
		return i18n.Plain(strings.ToValidUTF8(s[:most], "") + "…")
	}
	return t
}

func (r *report) at(loc []parser.Range, f Finding) {
	f.Line, f.EndLine = lines(loc)
	r.add(f)
}

var parseError = lazy(`^dockerfile parse error on line \d+: `)

// syntax reports an error of BuildKit's parser at its line.
func (r *report) syntax(err error) {
	f := Finding{Rule: "Syntax", Level: Error, Message: i18n.Plain(sentence(parseError().ReplaceAllString(err.Error(),
		""))),
		Advice: i18n.T("Correct this line; the Dockerfile reference shows each instruction's form."),
		URL:    "https://docs.docker.com/reference/dockerfile/"}
	var at *parser.LocationError
	if errors.As(err, &at) && len(at.Locations) > 0 {
		f.Line, f.EndLine = lines(at.Locations[len(at.Locations)-1])
	}
	r.add(f)
}

// lines returns the first and last line of a location.
func lines(loc []parser.Range) (first, last int) {
	for i, l := range loc {
		if i == 0 || l.Start.Line < first {
			first = l.Start.Line
		}
		last = max(last, l.End.Line)
	}
	return first, last
}

func sentence(s string) string {
	s = sameGuess(strings.TrimSpace(s))
	if s != "" && !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "?") {
		s += "."
	}
	return s
}
