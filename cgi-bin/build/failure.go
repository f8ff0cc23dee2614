package main

import (
	"strings"

	"toaster.do/cgi-bin/jobs/look"
	"toaster.do/lib/apperr"
	"toaster.do/lib/buildlog"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/engine"
	"toaster.do/lib/jobs"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

// failure is why a build failed, as its page shows it.
type failure struct {
	*jobs.Failure
	Lines []failedLine // of the Dockerfile, around the step
}

type failedLine struct {
	Number int
	Spans  []dockerfile.Span
	First  bool // it begins the step that failed
	At     bool // of that step
}

// failureOf explains a build that has failed; it is nil for any other. The end of its log is read unless it is there.
// Without it there is less to say.
func failureOf(r *web.Request, s *jobs.Service, b *store.Build, end *buildlog.Window) *failure {
	if b.State != engine.Failed {
		return nil
	}
	if end == nil {
		w, err := buildlog.End(look.Reader(r, &s.Reconciler, b.Number))
		if kind := apperr.KindOf(err); err != nil && kind != apperr.NotFound && kind != apperr.Gone {
			r.Note(err)
		}
		end = &w
	}
	var text []byte
	for _, l := range end.Lines {
		text = append(text, l.Text...)
	}
	return &failure{Failure: jobs.Explain(b, text)}
}

// How much of a Dockerfile is shown around a step, in lines.
const (
	around      = 3
	longestStep = 14
)

// excerpt are the lines of an instruction, which begins at a line, and some around it.
func excerpt(text []byte, at int) []failedLine {
	var list []failedLine
	all := dockerfile.Highlight(text)
	if at < 1 || at > len(all) {
		return nil
	}
	end := at
	for end < len(all) && end < at+longestStep && continues(all[end-1], all[end]) {
		end++
	}
	for n := max(1, at-around); n <= min(len(all), end+around); n++ {
		list = append(list, failedLine{n, all[n-1], n == at, n >= at && n <= end})
	}
	return list
}

// continues tells whether a line belongs to the instruction of the line before.
func continues(before, line []dockerfile.Span) bool {
	text := ""
	for _, s := range before {
		text += s.Text
	}
	text = strings.TrimRight(text, " \t")
	return strings.HasSuffix(text, "\\") || strings.HasSuffix(text, "`") || len(line) > 0 && line[0].Class == "h"
}
