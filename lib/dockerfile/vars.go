package dockerfile

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// defaultPath is PATH in an image that sets none, and in the official Debian and Devuan images.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// env is a list of variables in the order they were first set.
type env struct {
	keys   []string
	values map[string]string
	open   bool // an image that has not been looked up may set more
	missed bool // one of those was asked for
}

func (e *env) Get(key string) (string, bool) {
	v, ok := e.values[key]
	e.missed = e.missed || e.open && !ok
	return v, ok
}

func (e *env) set(key, value string) {
	if e.values == nil {
		e.values = map[string]string{}
	}
	if _, ok := e.values[key]; !ok {
		e.keys = append(e.keys, key)
	}
	e.values[key] = value
}

func (e *env) remove(key string) {
	delete(e.values, key)
	e.keys = slices.DeleteFunc(e.keys, func(k string) bool { return k == key })
}

func (e *env) clone() env {
	c := env{open: e.open}
	for _, k := range e.keys {
		c.set(k, e.values[k])
	}
	return c
}

// platforms maps Debian's architectures to Docker's and its variant.
var platforms = map[string][2]string{"": {"amd64"}, "amd64": {"amd64"}, "i386": {"386"}, "arm64": {"arm64"},
	"armhf": {"arm", "v7"}, "armel": {"arm", "v5"},
	"ppc64el": {"ppc64le"}, "riscv64": {"riscv64"}, "s390x": {"s390x"}, "mips64el": {"mips64le"}}

// Platform is what Docker calls a Debian architecture: "linux/arm/v7" for armhf, say.
func Platform(arch string) string {
	_, platform := partsOf(arch)
	return platform
}

func partsOf(arch string) (parts [2]string, platform string) {
	parts, ok := platforms[arch]
	if !ok {
		parts = [2]string{arch}
	}
	platform = "linux/" + parts[0]
	if parts[1] != "" {
		platform += "/" + parts[1]
	}
	return parts, platform
}

// buildPlatform is what builds run on, as far as a translation can know that, which is the same everywhere. A build
// argument says another one.
const buildPlatform = "linux/amd64"

// platformArgs are the ARGs that a build has by itself.
// https://docs.docker.com/reference/dockerfile/#automatic-platform-args-in-the-global-scope
func platformArgs(arch, target string) [][2]string {
	p, platform := partsOf(arch)
	if target == "" {
		target = "default"
	}
	return [][2]string{{"BUILDPLATFORM", buildPlatform}, {"BUILDOS", "linux"}, {"BUILDOSVERSION", ""},
		{"BUILDARCH", strings.TrimPrefix(buildPlatform, "linux/")}, {"BUILDVARIANT", ""},
		{"TARGETPLATFORM", platform}, {"TARGETOS", "linux"}, {"TARGETOSVERSION", ""}, {"TARGETARCH", p[0]},
		{"TARGETVARIANT", p[1]}, {"TARGETSTAGE", target}}
}

// globalArgs computes the variables that FROM lines see: the platform's, and the ARGs before the first FROM.
func (t *translator) globalArgs(p *parsed) {
	for _, kv := range platformArgs(t.source.Arch, p.stages[len(p.stages)-1].Name) {
		v := kv[1]
		if given, ok := t.source.BuildArgs[kv[0]]; ok {
			v = given
		}
		t.globals.set(kv[0], v)
	}
	t.defaults = t.globals.clone()
	t.declared = map[string]bool{}
	for _, c := range p.args {
		t.here = c.Location()
		for _, a := range c.Args {
			t.declared[a.Key] = true
			if v, err := t.argDefault(a, &t.defaults); err == nil && v != nil {
				t.defaults.set(a.Key, *v)
			}
			v, err := t.argDefault(a, &t.globals)
			if given, ok := t.source.BuildArgs[a.Key]; ok {
				v, err = &given, nil
			}
			if err != nil {
				t.fail(c.Location(), "Syntax", "%s", "Correct the variable.", sentence(err.Error()))
			} else if v != nil {
				t.globals.set(a.Key, *v)
			}
		}
	}
}

func (t *translator) argDefault(a instructions.KeyValuePairOptional, vars *env) (*string, error) {
	if a.Value == nil {
		return nil, nil
	}
	r, err := t.replace(t.lex, *a.Value, vars)
	return &r.Result, err
}

// replace replaces the variables of a word.
func (t *translator) replace(lex lexer, word string, vars *env) (expansion, error) {
	if !t.spend(1 + len(word)/16) {
		return expansion{}, errTooSlow
	}
	if isPlain(word) && len(word) <= longestWord {
		return expansion{Result: word}, nil
	}
	return lex.expand(word, vars, false, t.budget)
}

// isPlain tells whether a word means itself: most do.
func isPlain(word string) bool {
	for i := 0; i < len(word); i++ {
		if b := word[i]; b >= utf8.RuneSelf || b == '$' || b == '\'' || b == '"' || b == '\\' || b == '`' {
			return false
		}
	}
	return true
}

// expandFrom replaces the variables of FROM's image.
func (t *translator) expandFrom(s *stage) (string, error) {
	r, err := t.replace(t.lex, s.in.BaseName, &t.globals)
	t.lintFrom(s, r)
	return r.Result, err
}

// baseOfLast returns the image that the last stage stands on, through stages that it is based on.
func (p *parsed) baseOfLast() string {
	t := &translator{report: &report{}, budget: &budget{}, lex: lexer{p.escape, true}}
	t.globalArgs(p)
	last := len(p.stages) - 1
	base := ""
	for i := last; i >= 0; i-- {
		if i != last && (p.stages[i].Name == "" || !strings.EqualFold(p.stages[i].Name, base)) {
			continue
		}
		r, err := t.replace(t.lex, p.stages[i].BaseName, &t.globals)
		if err != nil {
			return ""
		}
		base = r.Result
	}
	return base
}

// replaceWords is replace for what is split into words then.
func (t *translator) replaceWords(word string, vars *env) (expansion, error) {
	if !t.spend(1 + len(word)/16) {
		return expansion{}, errTooSlow
	}
	return t.lex.expand(word, vars, true, t.budget)
}
