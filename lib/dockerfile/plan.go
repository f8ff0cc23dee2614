package dockerfile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"toaster.do/lib/i18n"
)

// stage is a stage of the Dockerfile on its way into the blend.
type stage struct {
	in       instructions.Stage
	index    int
	base     *stage // the stage it is based on; nil: an image, or scratch
	image    string // what FROM names, variables replaced
	scratch  bool
	foreign  bool // its image is fetched from a registry
	commands []command
	deps     []*stage // stages it copies or mounts from
	needed   bool     // the last stage needs it
	inTree   bool     // it is worked on in the target's tree itself: the last stage, and the stages that it is based on
	state
	copyFor []*stage // stages that begin as a copy of this one, made when it is done
	kept    bool     // a copy is kept for COPY --from and mounts, as the tree itself goes on
	body    text
}

// command is an instruction and the stages that it refers to.
type command struct {
	instructions.Command
	from    *stage   // COPY --from
	mounts  []*stage // RUN --mount=from=, by mount; nil: none, or no stage
	onBuild bool
}

func (s *stage) name() string {
	if s.in.Name != "" {
		return s.in.Name
	}
	return strconv.Itoa(s.index)
}

// root is the folder of the stage's files, as a word of the builder, for those who copy from it.
func (s *stage) root() string {
	if s.inTree && !s.kept {
		return "$TREE"
	}
	return "$STAGES/" + strconv.Itoa(s.index)
}

// plan makes the graph of stages.
func (t *translator) plan(p *parsed) {
	t.lex = lexer{p.escape, true}
	t.globalArgs(p)
	byName := map[string]*stage{}
	for i, in := range p.stages {
		if i == 100 {
			t.fail(in.Location, "TooManyStages", "There are more than 100 stages.", "Use fewer.")
			break
		}
		t.here = in.Location
		s := &stage{in: in, index: i, body: text{budget: t.budget}}
		t.stages = append(t.stages, s)
		t.fromOf(s, byName)
		if in.Name != "" {
			byName[strings.ToLower(in.Name)] = s
		}
	}
	t.byName = byName
	for _, s := range t.stages {
		t.here = s.in.Location
		t.onBuild(s)
		for _, c := range s.in.Commands {
			t.here = c.Location()
			s.commands = append(s.commands, t.refer(s, command{Command: c}))
		}
	}
	last := t.stages[len(t.stages)-1]
	t.form = t.chooseForm(last)
	for s := last; s != nil && t.form != FormAppliance; s = s.base {
		s.inTree = true
	}
	for _, s := range slices.Concat(t.stages, t.extra) {
		s.foreign = s.foreign || !s.inTree && s.base == nil && !s.scratch && (t.otherRelease(s) || t.otherPlatform(s))
	}
	t.need(last)
}

func (t *translator) need(s *stage) {
	if s == nil || s.needed {
		return
	}
	s.needed = true
	t.need(s.base)
	if s.base != nil && !s.inTree {
		s.base.copyFor = append(s.base.copyFor, s)
	}
	for _, d := range s.deps {
		t.need(d)
		if d.inTree {
			d.kept = true
		}
	}
}

// fromOf resolves what FROM names.
func (t *translator) fromOf(s *stage, byName map[string]*stage) {
	base, err := t.expandFrom(s)
	if err != nil {
		t.fail(s.in.Location, "Syntax", "%s", "Correct the FROM line.", sentence(err.Error()))
		return
	}
	s.image = base
	switch {
	case base == "":
		t.fail(s.in.Location, "Syntax", "The base name (%s) is empty after its variables are replaced.",
			"Give the ARG before FROM a default value, or set it as a build argument.", s.in.BaseName)
	case byName[base] != nil: // also one that is named scratch
		s.base = byName[base]
	case base == "scratch":
		s.scratch = true
	case !validReference(base):
		advice := i18n.T("Write a name such as %s.", t.plain())
		if strings.Contains(s.in.BaseName, "$") {
			advice = i18n.T("Give the ARG before FROM a default value that is a valid image name, or set it as a build argument.")
		}
		t.fail(s.in.Location, "Syntax", "FROM %s: invalid image name.", "%s", show(base), advice)
		s.image = ""
	default:
		s.foreign = t.source.isForeign(base)
	}
}

// onBuild puts the ONBUILD instructions of the stage or image that s is based on before its own.
func (t *translator) onBuild(s *stage) {
	for _, text := range t.triggers(s) {
		if !t.spend(500 + 5*len(text)) {
			return
		}
		cmd, err := parseTrigger(text, s.in.Location)
		if err != nil {
			t.fail(s.in.Location, "Syntax", "ONBUILD %s: %s", "Correct the ONBUILD instruction.", text, err.Error())
			continue
		}
		s.commands = append(s.commands, t.refer(s, command{Command: cmd, onBuild: true}))
	}
}

func parseTrigger(text string, loc []parser.Range) (instructions.Command, error) {
	ast, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	if len(ast.AST.Children) != 1 {
		return nil, fmt.Errorf("an ONBUILD trigger is a single instruction")
	}
	node := ast.AST.Children[0]
	node.StartLine, node.EndLine = lines(loc)
	return instructions.ParseCommand(node)
}

// refer finds the stages that an instruction names.
func (t *translator) refer(s *stage, c command) command {
	switch in := c.Command.(type) {
	case *instructions.CopyCommand:
		if in.From == "" {
			return c
		}
		if r, err := t.replace(t.lex, in.From, &env{}); err != nil || r.Result != in.From {
			t.fail(c.Location(), "CopyFromVariable", "Variables are not replaced in --from.",
				"Define a stage with FROM and the variable, and copy from that stage.")
			return c
		}
		c.from = t.stageNamed(s, in.From, true, c.Location(), "COPY --from="+in.From)
	case *instructions.RunCommand:
		for _, m := range instructions.GetMounts(in) {
			var from *stage
			if m.From != "" && (m.From != "scratch" || t.byName[m.From] != nil) {
				from = t.stageNamed(s, m.From, false, c.Location(), "RUN --mount=from="+m.From)
			}
			c.mounts = append(c.mounts, from)
		}
	}
	for _, d := range append([]*stage{c.from}, c.mounts...) {
		if d != nil {
			s.deps = append(s.deps, d)
		}
	}
	return c
}

// stageNamed finds an earlier stage by its name or number, and reports when there is none.
func (t *translator) stageNamed(s *stage, name string, number bool, loc []parser.Range, what string) *stage {
	d := t.byName[strings.ToLower(name)]
	if n, err := strconv.Atoi(name); err == nil && number {
		if n < 0 || n >= len(t.stages) {
			t.failIn(s, loc, "CopyFromStage", "Stage number %d does not exist.",
				"Stages are counted from 0, in the order of their FROM lines.", n)
			return nil
		}
		d = t.stages[n]
	}
	switch {
	case d == nil && !validReference(name):
		t.failIn(s, loc, "CopyFromImage", "%s: there is no stage of this name, and it is no valid name of an image.",
			"Correct the name.", what)
	case d == nil:
		return t.imageStage(name, loc)
	case d.index >= s.index:
		t.failIn(s, loc, "CopyFromStage", "%s: stage %q is this stage or comes after it.",
			"Move the other stage before this one.", what, d.name())
		return nil
	}
	return d
}
