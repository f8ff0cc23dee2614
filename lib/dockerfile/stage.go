package dockerfile

import (
	"fmt"
	"maps"
	"path"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	images "toaster.do/lib/image"
)

// state is what a stage has set so far, and what a stage that is based on it begins with.
type state struct {
	env        env             // ENV and ARG, as RUN and the expansion of variables see them
	config     config          // as in the image
	args       map[string]bool // what ARG has named
	fixed      map[string]bool // what ENV has set: "ENV always overrides an ARG of the same name", says the reference
	workdirSet bool
	updated    bool // apt-get update has run
	entrypoint seen
	cmd        seen
	health     seen
}

// seen remembers an instruction of which only the last one counts.
type seen struct {
	set bool
	loc []parser.Range
}

func (t *translator) begin(s *stage) {
	s.args, s.fixed = map[string]bool{}, map[string]bool{}
	if s.base == nil {
		if s.foreign {
			t.beginImage(s)
			return
		}
		s.env.set("PATH", defaultPath)
		s.config = config{Config: images.Config{Env: []string{"PATH=" + defaultPath}, WorkingDir: "/"}}
		if !s.scratch {
			s.config.Cmd = []string{"bash"}
		}
		return
	}
	b := s.base
	s.env, s.config, s.workdirSet, s.updated = b.env.clone(), b.config.clone(), b.workdirSet, b.updated
	s.config.OnBuild = nil
	maps.Copy(s.args, b.args)
	maps.Copy(s.fixed, b.fixed)
}

// stage translates a stage: a needed one into its body, another only for its findings.
func (t *translator) stage(s *stage) {
	t.here = s.in.Location
	if b := s.base; b != nil && !t.spend(2*len(b.env.keys)+2*len(b.config.ExposedPorts)+
		len(b.config.Labels)+len(b.config.Volumes)+len(b.config.Env)) {
		return
	}
	t.begin(s)
	t.checkPlatform(s)
	fmt.Fprintf(&s.body, "\n# stage %s\n", quote(s.name()))
	if s.base != nil {
		fmt.Fprintf(&s.body, "variables_of %d\n", s.base.index)
	} else {
		list := make([]string, len(s.env.keys))
		for i, k := range s.env.keys {
			list[i] = k + "=" + s.env.values[k]
		}
		s.emit("variables", list...)
	}
	t.step(s, s.in.Location, s.in.SourceCode)
	if s.inTree {
		if s.foreign {
			t.grow(s)
		}
		fmt.Fprintf(&s.body, "ROOT=$TREE\n")
	} else {
		fmt.Fprintf(&s.body, "ROOT=$STAGES/%d\n", s.index)
	}
	for _, c := range s.commands {
		t.command(s, c)
	}
	fmt.Fprintf(&s.body, "keep_variables %d\n", s.index)
	if s.kept {
		fmt.Fprintf(&s.body, "snapshot $TREE $STAGES/%d\n", s.index)
	}
	for _, d := range s.copyFor {
		fmt.Fprintf(&s.body, "snapshot $ROOT $STAGES/%d\n", d.index)
	}
}

// step announces an instruction.
func (t *translator) step(s *stage, loc []parser.Range, text string) {
	if !s.needed {
		return
	}
	line, _ := lines(loc)
	text = oneLine(text)
	t.steps = append(t.steps, Step{Line: line, Instruction: text})
	fmt.Fprintf(&s.body, "step %d %d %s\n", len(t.steps), line, quote(text))
}

func (t *translator) command(s *stage, c command) {
	t.here = c.Location()
	defer func() { s.env.missed = false }()
	if !t.spend(10) {
		return
	}
	t.step(s, c.Location(), fmt.Sprint(c.Command))
	lint := t.lint.WithMergedConfigFromComments(c.Comments())
	if err := t.expand(s, c, lint); err != nil {
		t.failIn(s, c.Location(), "Syntax", "%s", "Correct the variable, or quote the $.", sentence(err.Error()))
		return
	}
	loc := c.Location()
	switch in := c.Command.(type) {
	case *instructions.EnvCommand:
		t.env(s, in, lint)
	case *instructions.ArgCommand:
		t.arg(s, in, lint)
	case *instructions.RunCommand:
		t.run(s, c, in)
	case *instructions.CopyCommand:
		t.copy(s, copying{SourcesAndDest: in.SourcesAndDest, name: "COPY", chown: in.Chown, chmod: in.Chmod, link: in.Link,
			parents: in.Parents,
			exclude: in.ExcludePatterns, from: c.from, hasFrom: in.From != "", loc: loc, lint: lint})
	case *instructions.AddCommand:
		t.copy(s, copying{SourcesAndDest: in.SourcesAndDest, name: "ADD", chown: in.Chown, chmod: in.Chmod, link: in.Link,
			exclude: in.ExcludePatterns, checksum: in.Checksum, unpack: in.Unpack, keep: in.KeepGitDir, add: true,
			loc: loc, lint: lint})
	case *instructions.WorkdirCommand:
		t.workdir(s, in, lint)
	default:
		t.meta(s, c.Command, lint)
	}
}

// expand replaces variables as BuildKit does: in the words of some instructions, and in heredocs that are not quoted.
func (t *translator) expand(s *stage, c command, lint *linter.Linter) error {
	word := func(lex lexer) instructions.SingleWordExpander {
		return func(w string) (string, error) {
			r, err := t.replace(lex, w, &s.env)
			t.lintUnset(s, c, r.Unmatched, lint)
			return r.Result, err
		}
	}
	if _, isArg := c.Command.(*instructions.ArgCommand); isArg {
		return nil
	}
	if ex, ok := c.Command.(instructions.SupportsSingleWordExpansion); ok {
		if err := ex.Expand(word(t.lex)); err != nil {
			return err
		}
	}
	if ex, ok := c.Command.(instructions.SupportsSingleWordExpansionRaw); ok {
		return ex.ExpandRaw(word(lexer{'\\', false}))
	}
	return nil
}

func (t *translator) env(s *stage, in *instructions.EnvCommand, lint *linter.Linter) {
	for _, kv := range in.Env {
		if kv.NoDelim {
			lint.Run(&linter.RuleLegacyKeyValueFormat, in.Location(), linter.RuleLegacyKeyValueFormat.Format(in.Name()))
		}
		if !t.spend(5 + len(kv.Key) + len(kv.Value)/16 + len(s.config.Env)/16) {
			return
		}
		lintSecret("ENV", kv.Key, in.Location(), lint)
		if kv.Key == "" || strings.Contains(kv.Key, "=") {
			t.failIn(s, in.Location(), "Syntax", "ENV has a name that is empty or contains an equals sign after its variables "+
				"are replaced.", "Correct the name.")
			continue
		}
		if s.env.missed {
			s.env.remove(kv.Key)
			continue
		}
		s.set(kv.Key, kv.Value)
		if s.fixed[kv.Key] || kv.Key == "PATH" {
			s.config.setEnv(kv.Key, kv.Value)
		} else {
			s.config.Env = append(s.config.Env, kv.Key+"="+kv.Value)
		}
		s.fixed[kv.Key] = true
	}
}

func (t *translator) arg(s *stage, in *instructions.ArgCommand, lint *linter.Linter) {
	for _, a := range in.Args {
		if !t.spend(5 + len(a.Key)) {
			return
		}
		lintSecret("ARG", a.Key, in.Location(), lint)
		if v, ok := t.argValue(s, a, in, lint); ok && !s.fixed[a.Key] && !s.env.missed {
			s.set(a.Key, v)
		}
		s.args[a.Key] = true
	}
}

// argValue is a build argument, else the default in the line, else what an ARG before FROM says; ok is false without
// any.
func (t *translator) argValue(s *stage, a instructions.KeyValuePairOptional, in *instructions.ArgCommand,
	lint *linter.Linter) (value string, ok bool) {
	if given, ok := t.source.BuildArgs[a.Key]; ok {
		return given, true
	}
	if a.Value == nil {
		return t.globals.Get(a.Key)
	}
	r, err := t.replace(t.lex, *a.Value, &s.env)
	t.lintUnset(s, command{Command: in}, r.Unmatched, lint)
	if err != nil {
		t.failIn(s, in.Location(), "Syntax", "%s", "Correct the variable.", sentence(err.Error()))
		return "", false
	}
	return r.Result, true
}

// set gives a variable to the instructions that follow, here and in the builder.
func (s *stage) set(key, value string) {
	s.env.set(key, value)
	s.emit("variable", key, value)
}

func (t *translator) workdir(s *stage, in *instructions.WorkdirCommand, lint *linter.Linter) {
	if !s.workdirSet && !path.IsAbs(in.Path) {
		lint.Run(&linter.RuleWorkdirRelativePath, in.Location(), linter.RuleWorkdirRelativePath.Format(in.Path))
	}
	s.workdirSet = true
	s.config.WorkingDir = s.normal(in.Path, false)
	if clean := path.Clean(s.config.WorkingDir); clean != "/" {
		s.emit("workdir", clean, s.config.User)
	}
}

// normal makes a path absolute from the working directory. With keep, a slash or /. at its end stays.
func (s *stage) normal(p string, keep bool) string {
	out := p
	if out == "" {
		out = s.config.WorkingDir
	}
	if !path.IsAbs(out) {
		out = path.Join(s.config.WorkingDir, out)
	}
	if !keep {
		return out
	}
	out = path.Clean(out)
	switch {
	case strings.HasSuffix(p, "/.") || p == ".":
		out = strings.TrimSuffix(out, "/") + "/."
	case (strings.HasSuffix(p, "/") || p == "") && out != "/":
		out += "/"
	}
	return out
}

// emit writes a call of one of the builder's functions, all its arguments quoted.
func (s *stage) emit(function string, args ...string) {
	if len(args) > 0 {
		function += " " + words(args...)
	}
	s.body.WriteString(function + "\n")
}

func (t *translator) nextInline() string {
	t.inline++
	return strconv.Itoa(t.inline)
}
