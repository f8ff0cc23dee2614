package dockerfile

import (
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

var adviceFor = map[string]string{}

func ruleURL(rule string) string { return "" }

func (t *translator) lintNames(p *parsed)                              {}
func (t *translator) lintApplication()                                 {}
func (t *translator) lintFrom(s *stage, r shell.ProcessWordResult)     {}
func (t *translator) lintPlatform(s *stage, r shell.ProcessWordResult) {}
func (t *translator) lintUnset(s *stage, c command, unmatched map[string]struct{}, lint *linter.Linter) {
}
func (t *translator) lintIgnored(c copying, src string)                           {}
func (t *translator) lintRun(s *stage, c command, in *instructions.RunCommand)    {}
func lintSecret(instruction, key string, loc []parser.Range, lint *linter.Linter) {}
