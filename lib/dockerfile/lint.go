package dockerfile

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"toaster.do/lib/nearest"
)

// These are the rules of BuildKit's that instructions.Parse does not report by itself, after its
// dockerfile2llb/validations.go. InvalidBaseImagePlatform is not among them: it needs the registry.

// lintNames looks at names of stages, letter case and the defaults of ARGs in FROM.
func (t *translator) lintNames(p *parsed) {
	names := map[string]bool{}
	for _, s := range p.stages {
		if s.Name == "context" || s.Name == "scratch" {
			t.lint.Run(&linter.RuleReservedStageName, s.Location, linter.RuleReservedStageName.Format(s.Name))
		}
		if s.Name != "" && names[s.Name] {
			t.lint.Run(&linter.RuleDuplicateStageName, s.Location, linter.RuleDuplicateStageName.Format(s.Name))
		}
		names[s.Name] = true
	}
	lower, upper := 0, 0
	each := func(f func(name string, loc []parser.Range)) {
		for _, s := range p.stages {
			f(s.OrigCmd, s.Location)
			for _, c := range s.Commands {
				f(c.Name(), c.Location())
			}
		}
	}
	each(func(name string, _ []parser.Range) {
		switch name {
		case strings.ToLower(name):
			lower++
		case strings.ToUpper(name):
			upper++
		}
	})
	each(func(name string, loc []parser.Range) {
		right, word := strings.ToUpper(name), "uppercase"
		if lower > upper {
			right, word = strings.ToLower(name), "lowercase"
		}
		if name != right {
			t.lint.Run(&linter.RuleConsistentInstructionCasing, loc, linter.RuleConsistentInstructionCasing.Format(name, word))
		}
	})
}

// lintFrom looks at the variables of a FROM line.
func (t *translator) lintFrom(s *stage, r expansion) {
	lint := t.lint.WithMergedConfigFromComments(s.in.Comments)
	t.lintFromArgs(s, r.Unmatched, lint)
	if def, err := t.replace(t.lex, s.in.BaseName, &t.defaults); err == nil && !validReference(def.Result) {
		t.lint.Run(&linter.RuleInvalidDefaultArgInFrom, s.in.Location,
			linter.RuleInvalidDefaultArgInFrom.Format(s.in.BaseName))
	}
}

func (t *translator) lintFromArgs(s *stage, unmatched map[string]struct{}, lint *linter.Linter) {
	known := slices.Clone(t.globals.keys)
	known = append(known, slices.Sorted(maps.Keys(t.declared))...)
	for _, name := range sortedKeys(unmatched) {
		if !t.spend((20 + len(name)/2) * len(known)) {
			return
		}
		if slices.Contains(known, name) {
			continue
		}
		near := nearest.To(name, known)
		lint.Run(&linter.RuleUndefinedArgInFrom, s.in.Location, linter.RuleUndefinedArgInFrom.Format(name, near))
	}
}

// lintPlatform looks at FROM --platform.
func (t *translator) lintPlatform(s *stage, r expansion) {
	lint := t.lint.WithMergedConfigFromComments(s.in.Comments)
	t.lintFromArgs(s, r.Unmatched, lint)
	if _, ok := r.Matched["TARGETPLATFORM"]; ok && len(r.Matched) == 1 && len(r.Unmatched) == 0 {
		if v, _ := t.globals.Get("TARGETPLATFORM"); v == r.Result {
			lint.Run(&linter.RuleRedundantTargetPlatform, s.in.Location,
				linter.RuleRedundantTargetPlatform.Format(s.in.Platform))
		}
	}
	if len(r.Matched) > 0 || len(r.Unmatched) > 0 || !platformForm().MatchString(r.Result) {
		return
	}
	for _, part := range strings.Split(normalPlatform(r.Result), "/")[:2] {
		if strings.Contains(s.in.Name, part) {
			return
		}
	}
	lint.Run(&linter.RuleFromPlatformFlagConstDisallowed, s.in.Location,
		linter.RuleFromPlatformFlagConstDisallowed.Format(r.Result))
}

// lintUnset reports variables that nothing has set.
func (t *translator) lintUnset(s *stage, c command, unmatched map[string]struct{}, lint *linter.Linter) {
	for _, name := range sortedKeys(unmatched) {
		if s.args[name] || s.env.open || name == "BUILDKIT_SBOM_SCAN_CONTEXT" || name == "BUILDKIT_SBOM_SCAN_STAGE" {
			continue
		}
		near := ""
		if t.spend((20 + len(name)/2) * len(s.env.keys)) {
			near = nearest.To(name, s.env.keys)
		}
		lint.Run(&linter.RuleUndefinedVar, c.Location(), linter.RuleUndefinedVar.Format(name, near))
	}
}

// lintIgnored reports a source that .dockerignore names. With exceptions in it, only the build can tell.
func (t *translator) lintIgnored(c copying, src string) {
	if t.ignored == nil || t.ignored.exceptions {
		return
	}
	src = path.Clean(src)
	if (src == "." || src == "/") && !t.ignored.all() {
		return
	}
	if hit, err := t.ignored.orParent(src); err == nil && hit {
		verb := "Copy"
		if c.add {
			verb = "Add"
		}
		c.lint.Run(&linter.RuleCopyIgnoredFile, c.loc, linter.RuleCopyIgnoredFile.Format(verb, src))
	}
}

var (
	secretWords = lazy(`(?i)(?:_|^)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)`)
	publicWords = lazy(`(?i)(?:_|^)(?:public|file|version)(?:_|$)`)
)

func lintSecret(instruction, key string, loc []parser.Range, lint *linter.Linter) {
	if secretWords().MatchString(key) && !publicWords().MatchString(key) {
		lint.Run(&linter.RuleSecretsUsedInArgOrEnv, loc, linter.RuleSecretsUsedInArgOrEnv.Format(instruction, key))
	}
}

func sortedKeys(m map[string]struct{}) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
