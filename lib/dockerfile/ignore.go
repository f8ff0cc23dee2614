package dockerfile

import (
	"bytes"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/moby/patternmatcher/ignorefile"
)

// ignore is what a .dockerignore says. It matches as github.com/moby/patternmatcher does, with which a fuzz test
// compares it. That one compares each name with each pattern, whatever that takes; this one looks first at how a
// pattern begins and ends, and counts the rest.
type ignore struct {
	*budget
	file       string // its name
	patterns   []*ignorePattern
	exceptions bool
}

type ignorePattern struct {
	text       string
	n          int  // its number
	except     bool // it begins with !
	kind       matchKind
	head, tail string // what every name that it matches begins and ends with
	part       string // what every name that it matches has in it
	re         *regexp.Regexp
}

type matchKind byte

const (
	matchExact matchKind = iota
	matchHead
	matchTail
	matchRegexp
)

// ignoreLimit is how large a .dockerignore may be, in bytes.
const ignoreLimit = 1 << 20

// badPattern is an error of the nth pattern.
type badPattern struct {
	n    int
	text string
}

func (e *badPattern) Error() string { return "a wrong pattern: " + e.text }

// ignoreFile is where the patterns for a Dockerfile stand: NAME.dockerignore, if there is one, else .dockerignore.
// Where nobody knows the Dockerfile's name, the context's file with that text tells it.
func (c *Context) ignoreFile(s Source) string {
	exists := func(name string) bool { e := c.entries[name]; return e != nil && e.kind == file }
	if name := s.Name; name != "" {
		if name = path.Clean(name) + ".dockerignore"; exists(name) {
			return name
		}
		return ".dockerignore"
	}
	sum, other := hash(s.Dockerfile), false
	for _, name := range c.names {
		if e := c.entries[name]; e.kind == file && e.size == int64(len(s.Dockerfile)) && e.sha256 == sum {
			if exists(name + ".dockerignore") {
				return name + ".dockerignore"
			}
			other = other || name != "Dockerfile"
		}
	}
	if !other && exists("Dockerfile.dockerignore") {
		return "Dockerfile.dockerignore"
	}
	return ".dockerignore"
}

// ignore returns the context without what its .dockerignore, the file of that name, says, and that (nil: there is
// none).
func (c *Context) ignore(name string, f *files, b *budget) (*Context, *ignore, error) {
	text := c.entries[name]
	if text == nil || text.kind != file {
		return c, nil, nil
	}
	if text.size > ignoreLimit {
		b.spend(enough)
		return nil, nil, errTooSlow
	}
	patterns, err := ignorefile.ReadAll(bytes.NewReader(f.read(text)))
	if err != nil || len(patterns) == 0 {
		return c, nil, err
	}
	g, err := newIgnore(patterns, b)
	if err != nil {
		return nil, nil, err
	}
	g.file = name
	left := &Context{manifest: c.manifest, source: c.source, sha256: c.sha256, entries: map[string]*entry{"": c.entries[""]}}
	parents := map[string][]int32{}
	for _, name := range c.names {
		ignored, matched, err := g.match(name, parents[path.Dir(name)])
		if err != nil {
			return nil, nil, err
		}
		if c.entries[name].kind == dir {
			parents[name] = matched
		}
		if !ignored {
			for p := name; p != "." && left.entries[p] == nil; p = path.Dir(p) {
				left.entries[p] = c.entries[p]
			}
		}
	}
	for _, name := range c.names {
		if left.entries[name] != nil {
			left.names = append(left.names, name)
		}
	}
	return left, g, nil
}

func newIgnore(patterns []string, b *budget) (*ignore, error) {
	g := &ignore{budget: b}
	for i, text := range patterns {
		bad := &badPattern{i + 1, text}
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		p := &ignorePattern{text: filepath.Clean(text), n: i + 1}
		if p.text, p.except = strings.CutPrefix(p.text, "!"); p.except && p.text == "" {
			return nil, bad
		}
		if !b.spend(3 + len(p.text)/4) {
			return nil, errTooSlow
		}
		if _, err := filepath.Match(p.text, "."); err != nil {
			return nil, bad
		}
		g.exceptions = g.exceptions || p.except
		p.classify()
		g.patterns = append(g.patterns, p)
	}
	return g, nil
}

// classify tells how a pattern is matched: most need no regular expression.
func (p *ignorePattern) classify() {
	const special = `*?[]\`
	first, stars := strings.IndexAny(p.text, special), strings.HasPrefix(p.text, "**")
	switch {
	case first < 0:
		p.kind, p.head = matchExact, p.text
	case stars && !strings.ContainsAny(p.text[2:], special):
		p.kind, p.tail = matchTail, p.text[2:]
	case first == len(p.text)-2 && strings.HasSuffix(p.text, "**"):
		p.kind, p.head = matchHead, p.text[:first]
	case strings.ContainsAny(p.text, "|{}^"): // which mean something in BuildKit's expression
		p.kind = matchRegexp
	default:
		p.kind, p.head = matchRegexp, p.text[:first]
		p.tail = p.text[strings.LastIndexAny(p.text, special)+1:]
		if strings.HasSuffix(strings.TrimSuffix(p.text, p.tail), `\`) { // it may mean something else
			p.tail = ""
		}
		p.tail = strings.TrimPrefix(p.tail, "/") // of **/, which may be nothing
		p.part = longestPart(p.text)
	}
}

// longestPart is the longest piece of a pattern that stands for itself; empty where a backslash makes that unclear.
func longestPart(text string) (longest string) {
	if strings.Contains(text, `\`) {
		return ""
	}
	for text != "" {
		end := strings.IndexAny(text, "*?[")
		if end < 0 {
			end = len(text)
		}
		if end > len(longest) {
			longest = text[:end]
		}
		rest := text[end:]
		switch {
		case strings.HasPrefix(rest, "**/"): // which may be nothing, with its slash
			rest = rest[3:]
		case strings.HasPrefix(rest, "["):
			class := strings.IndexByte(rest, ']')
			if class < 0 {
				return longest
			}
			rest = rest[class+1:]
		case rest != "":
			rest = rest[1:]
		}
		text = rest
	}
	return longest
}

// matches tells whether the pattern matches a name.
func (p *ignorePattern) matches(name string, b *budget) (bool, error) {
	switch p.kind {
	case matchExact:
		return name == p.text, nil
	case matchHead:
		return strings.HasPrefix(name, p.head), nil
	case matchTail:
		return strings.HasSuffix(name, p.tail) || p.tail[0] == '/' && name == p.tail[1:], nil
	}
	if p.re == nil {
		if !b.spend(50 + 15*len(p.text)) {
			return false, errTooSlow
		}
		re, err := regexp.Compile(p.expression())
		if err != nil {
			return false, &badPattern{p.n, p.text}
		}
		p.re = re
	}
	if len(name) < len(p.head)+len(p.tail) || !strings.HasPrefix(name, p.head) || !strings.HasSuffix(name, p.tail) ||
		!strings.Contains(name, p.part) {
		return false, nil
	}
	if !b.spend(2 + len(name)*len(p.text)/16) {
		return false, errTooSlow
	}
	return p.re.MatchString(name), nil
}

// expression is the pattern as a regular expression.
func (p *ignorePattern) expression() string {
	var w strings.Builder
	w.WriteByte('^')
	for rest := p.text; rest != ""; {
		r, n := utf8.DecodeRuneInString(rest)
		one := rest[:n]
		switch rest = rest[n:]; {
		case r == '*' && strings.HasPrefix(rest, "*"):
			if rest = strings.TrimPrefix(rest[1:], "/"); rest == "" {
				w.WriteString(".*")
			} else {
				w.WriteString("(.*/)?")
			}
		case r == '*':
			w.WriteString("[^/]*")
		case r == '?':
			w.WriteString("[^/]")
		case r == '\\' && rest != "":
			_, n := utf8.DecodeRuneInString(rest)
			w.WriteString(`\` + rest[:n])
			rest = rest[n:]
		case strings.ContainsRune(`.+()$\`, r):
			w.WriteString(`\` + one)
		default:
			w.WriteString(one)
		}
	}
	return w.String() + "$"
}

// match tells whether a name is ignored, and which patterns matched it, given those that matched the folder it is in.
func (g *ignore) match(name string, parent []int32) (ignored bool, matched []int32, err error) {
	if !g.spend(1 + len(g.patterns)/8 + len(parent)/4) {
		return false, nil, errTooSlow
	}
	for i, p := range g.patterns {
		var hit bool
		if len(parent) > 0 && parent[0] == int32(i) {
			hit, parent = true, parent[1:]
		} else if p.except != ignored {
			continue
		} else if hit, err = p.matches(name, g.budget); err != nil {
			return false, nil, err
		}
		if hit {
			if !g.spend(1) {
				return false, nil, errTooSlow
			}
			matched = append(matched, int32(i))
			ignored = !p.except
		}
	}
	return ignored, matched, nil
}

// orParent tells whether a name, or a folder that it is in, is ignored, whether or not the context has it.
func (g *ignore) orParent(name string) (ignored bool, err error) {
	if !g.spend(1 + len(g.patterns)/8) {
		return false, errTooSlow
	}
	for _, p := range g.patterns {
		if p.except != ignored {
			continue
		}
		hit, err := p.matches(name, g.budget)
		if err != nil {
			return false, err
		}
		for i := 0; i < len(name) && !hit; i++ {
			if name[i] != '/' {
				continue
			}
			if !g.spend(1) {
				return false, errTooSlow
			}
			hit, _ = p.matches(name[:i], g.budget)
		}
		if hit {
			ignored = !p.except
		}
	}
	return ignored, nil
}

// all tells whether a pattern matches everything.
func (g *ignore) all() bool {
	return g.spend(1+len(g.patterns)/8) && slices.ContainsFunc(g.patterns, func(p *ignorePattern) bool {
		return p.text == "*" || p.text == "**" || p.text == "**/*"
	})
}
