package dockerfile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"sort"

	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"toaster.do/lib/apperr"
	"toaster.do/lib/buildcontext"
	"toaster.do/lib/i18n"
)

// Steps returns what the blend would run, nothing when one of the findings is an error, and what is to be said about
// the source, in the order of its lines. It never panics.
func Steps(s Source) ([]Step, []Finding) {
	blend, findings := Outline(s)
	if blend == nil {
		return nil, findings
	}
	return blend.Steps, findings
}

// Outline is Translate without the blend's text: it has steps and secrets alone.
func Outline(s Source) (*Blend, []Finding) {
	blend, findings, _ := translate(s, false)
	return blend, findings
}

// Translate makes the blend. It is nil exactly when one of the findings is an error. It never panics.
func Translate(s Source) (*Blend, []Finding) {
	blend, findings, _ := translate(s, true)
	return blend, findings
}

// translator is one translation on its way.
type translator struct {
	*report
	*budget
	source   Source
	lint     *linter.Linter
	lex      lexer
	globals  env             // what FROM lines see
	defaults env             // the same without build arguments
	declared map[string]bool // the ARGs before the first FROM
	stages   []*stage
	extra    []*stage // images that COPY --from and mounts name
	byName   map[string]*stage
	form     Form
	context  *Context // without what .dockerignore names
	files    *files   // the context's
	ignored  *ignore
	archives map[*entry]string // see archive
	whole    map[string]bool   // folders of the context that are packed with all that is in them
	packed   map[string]bool   // entries of the context that the blend must bring
	steps    []Step
	secrets  []Secret
	inline   int // heredocs and downloads, counted
}

// translate also returns how much of the budget it took. Without write, the blend has no text.
func translate(s Source, write bool) (blend *Blend, findings []Finding, spent int) {
	t := newTranslator(s)
	defer func() {
		if p := recover(); p != nil {
			t.add(finding("Internal", Error, "This Dockerfile can't be translated: %v.", "Please report it.", p))
			blend = nil
		}
		findings, spent = t.sorted(), t.spent
	}()
	p := parse(s.Dockerfile, t.lint, t.report)
	if p == nil {
		return nil, nil, 0
	}
	t.lintNames(p)
	t.readContext()
	if t.spent == enough {
		return nil, nil, 0
	}
	if !hostnameForm().MatchString(t.source.BuildArgs[hostnameArg]) {
		t.add(finding("Syntax", Error, "The build argument "+hostnameArg+" is not a host name.",
			"Use up to 64 letters, digits, dots and hyphens."))
	}
	t.plan(p)
	for _, st := range t.stages {
		t.stage(st)
	}
	t.checkBase()
	t.lintApplication()
	if t.failed() || t.unreadable() {
		return nil, nil, 0
	}
	if !write {
		return &Blend{Steps: t.steps, Secrets: t.secrets}, nil, 0
	}
	if blend = t.blend(); t.unreadable() {
		blend = nil
	}
	return blend, nil, 0
}

// unreadable reports that a file of the context could not be read.
func (t *translator) unreadable() bool {
	err := t.files.failure()
	if err != nil {
		t.source.Context.failure.Store(&err)
		f := apperr.Of(err)
		t.add(Finding{Rule: "Internal", Level: Error, Message: f.Message, Advice: f.Advice})
	}
	return err != nil
}

func newTranslator(s Source) *translator {
	t := &translator{report: &report{}, budget: &budget{cancel: s.Cancel}, source: s, packed: map[string]bool{},
		files: &files{}, whole: map[string]bool{}, archives: map[*entry]string{}}
	if s.Context != nil {
		s.Context.failure.Store(nil)
		t.files.Source = s.Context.source
		t.allow(len(s.Context.names))
	}
	t.over, t.report.plain = t.tooComplex, t.plain()
	t.lint = t.newLinter(s.Dockerfile)
	return t
}

// readContext applies .dockerignore.
func (t *translator) readContext() {
	t.context = newContext()
	if t.source.Context == nil {
		return
	}
	if folder := t.source.Context.folder; folder != "" {
		t.add(finding("ContextFolder", Note, "The build context is the folder %s of the archive.",
			"Omit the name of this folder in COPY and ADD.", show(folder)))
	}
	name := t.source.Context.ignoreFile(t.source)
	left, ignored, err := t.source.Context.ignore(name, t.files, t.budget)
	if err == errTooSlow {
		return // reported already
	}
	if err != nil {
		f := Finding{Rule: "Dockerignore", Level: Error,
			Message: i18n.T("%s of the build context can't be read: %s", name, sentence(err.Error())),
			Advice:  i18n.T("Correct it."), URL: "https://docs.docker.com/build/concepts/context/#dockerignore-files"}
		if bad := (*badPattern)(nil); errors.As(err, &bad) {
			f.Message = i18n.T("Line %d of %s in the build context has an invalid pattern: %s.",
				buildcontext.PatternLine(t.files.read(t.source.Context.entries[name]), bad.n), name, show(bad.text))
			f.Advice = i18n.T("Correct the pattern: each [ needs a ] with something between them, and neither a single ! nor " +
				"a \\ at the end means anything.")
		}
		t.add(f)
		return
	}
	t.context, t.ignored = left, ignored
}

// newLinter makes the linter that BuildKit's parser reports to, as the comment "# check=…" of the Dockerfile asks.
func (t *translator) newLinter(text []byte) *linter.Linter {
	options, _, loc, _ := parser.ParseDirective("check", text)
	config, err := linter.ParseLintOptions(options)
	if err != nil {
		t.fail(loc, "Syntax", "The check directive is invalid: %s", "Write it as # check=skip=RuleName.",
			sentence(err.Error()))
		config = &linter.Config{}
	}
	config.Warn = func(rule, _, url, message string, loc []parser.Range) {
		level := Warning
		if config.ReturnAsError {
			level = Error
		}
		t.at(loc, Finding{Rule: rule, URL: url, Level: level,
			Message: i18n.Plain(sentence(message)), Advice: i18n.T(adviceFor[rule])})
	}
	return linter.New(config)
}

// fail reports an error at a place.
func (t *translator) fail(loc []parser.Range, rule string, message, advice i18n.Key, args ...any) {
	t.failIn(nil, loc, rule, message, advice, args...)
}

// failIn reports an error in a stage. Where the stage is not built, it is only a warning; where the values of variables
// are not known yet, it is none.
func (t *translator) failIn(s *stage, loc []parser.Range, rule string, message, advice i18n.Key, args ...any) {
	if t.spent < enough && (s == nil || !s.env.missed) { // else it was given up, which has been said
		f := finding(rule, Error, message, advice, args...)
		f.stage = s
		t.at(loc, f)
	}
}

func (t *translator) warn(loc []parser.Range, level Level, rule string, message, advice i18n.Key, args ...any) {
	t.at(loc, finding(rule, level, message, advice, args...))
}

func finding(rule string, level Level, message, advice i18n.Key, args ...any) Finding {
	f := Finding{Rule: rule, Level: level, URL: ruleURL(rule)}
	f.Message, f.Advice = i18n.Split(message, advice, args)
	return f
}

// mostFindings is how many a person is told; an error is always among them.
const mostFindings = 500

// sorted returns the findings in order of lines. Errors of stages that are not built are warnings.
func (r *report) sorted() []Finding {
	sort.SliceStable(r.findings, func(i, j int) bool { return r.findings[i].Line < r.findings[j].Line })
	out := make([]Finding, 0, len(r.findings))
	seen := map[Finding]bool{}
	for _, f := range r.findings {
		if f.stage != nil && !f.stage.needed && f.Level == Error {
			f.Level = Warning
			f.Message = i18n.T("%s (Its stage is not part of the image.)", f.Message)
		}
		f.stage = nil
		if !seen[f] {
			seen[f] = true
			out = append(out, f)
		}
	}
	if len(out) > mostFindings {
		isError := func(f Finding) bool { return f.Level == Error }
		rest := out[mostFindings-1:]
		out = append(out[:mostFindings-1:mostFindings-1],
			finding("TooManyFindings", Note, "There are %d more findings.", "Correct these first.", len(rest)))
		if at := slices.IndexFunc(rest, isError); at >= 0 && !slices.ContainsFunc(out, isError) {
			out[mostFindings-1] = rest[at]
		}
	}
	return out
}

func (r *report) failed() bool {
	for _, f := range r.findings {
		if f.Level == Error && (f.stage == nil || f.stage.needed) {
			return true
		}
	}
	return false
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
