package dockerfile

import (
	"sort"

	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Check returns what is to be said about a source, in the order of its lines. It never panics.
func Check(s Source) []Finding {
	_, findings := Translate(s)
	return findings
}

// Translate makes the blend. It is nil exactly when one of the findings is an error.
func Translate(s Source) (blend *Blend, findings []Finding) {
	r := &report{}
	lint := linter.New(&linter.Config{Warn: func(rule, _, url, message string, loc []parser.Range) {
		r.at(loc, Finding{Rule: rule, URL: url, Level: Warning, Message: sentence(message)})
	}})
	if p := parse(s.Dockerfile, lint, r); p != nil {
		r.at(p.stages[0].Location, Finding{Rule: "NotTranslated", Level: Error, Message: "Translation is not built yet."})
	}
	sort.SliceStable(r.findings, func(i, j int) bool { return r.findings[i].Line < r.findings[j].Line })
	return nil, r.findings
}
