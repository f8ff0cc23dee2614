package dockerfile

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"path"
	"sort"
	"strings"

	"toaster.do/lib/i18n"
)

// mark notes that the blend must bring an entry of the context and what leads to it.
func (t *translator) mark(names ...string) {
	t.packed[""] = true
	for _, name := range names {
		for p := name; p != "." && p != "" && !t.packed[p]; p = path.Dir(p) {
			t.packed[p] = true
		}
	}
}

// want marks an entry, what is below it, and the links on the way.
func (t *translator) want(place string, via []string) {
	t.mark(append(via, place)...)
	if e := t.context.entries[place]; e != nil && e.kind == dir && !t.whole[place] {
		t.whole[place] = true
		below := t.context.below(place)
		if !t.spend(2 * len(below)) {
			return
		}
		for _, name := range below {
			t.packed[name] = true
		}
	}
}

// wantSources finds a source of COPY or ADD in the context, and reports it when it is not there.
func (t *translator) wantSources(s *stage, c copying, src string) bool {
	missing := func() bool {
		t.failIn(s, c.loc, "MissingSource", "%s: %s is not in the build context.", "%s", c.name, show(src),
			t.missingAdvice(src))
		return false
	}
	start, inFolder := path.Join("/", src), ""
	if c.parents {
		pivot, pattern := pivotOf(src)
		inFolder = strings.TrimPrefix(pattern, "/")
		if !hasWildcards(pivot) && !hasWildcards(pattern) {
			if _, e, _ := t.find(path.Join(pivot, pattern), true); e == nil {
				return missing()
			}
		}
		start = pivot
	}
	folder, wild := splitWildcards(start)
	at, e, via := t.find(folder, true)
	if e == nil || t.source.Context == nil {
		return missing()
	}
	if !s.needed {
		return true
	}
	nothing := func() {
		t.warn(c.loc, Warning, "EmptyWildcard",
			"%s: nothing in the build context matches %s, so nothing is copied, as with docker build.",
			"Correct the pattern, or remove it.", c.name, show(src))
	}
	if wild == "" {
		t.want(at, via)
		if c.parents && !t.anyBelow(at, inFolder) {
			nothing()
		}
		return t.usable(s, c, at)
	}
	t.mark(append(via, at)...)
	names := t.matches(folder, wild)
	if len(names) == 0 {
		nothing()
	}
	for _, name := range names {
		place, _, via := t.find(name, true)
		t.want(name, append(via, place))
		t.want(place, nil)
		if !t.usable(s, c, place) {
			return false
		}
	}
	return true
}

// anyBelow tells whether a pattern of --parents matches anything below a folder; one that is empty, of ./, never does.
func (t *translator) anyBelow(folder, pattern string) bool {
	g, err := newIgnore([]string{pattern}, t.budget)
	if err != nil {
		return true // reported where it is translated
	}
	for _, name := range t.context.below(folder) {
		if hit, err := g.orParent(strings.TrimPrefix(strings.TrimPrefix(name, folder), "/")); hit || err != nil {
			return true
		}
	}
	return false
}

// usable reports what is at a place of the context, or below it, and is nothing that can be copied.
func (t *translator) usable(s *stage, c copying, place string) bool {
	names := []string{place}
	if t.whole[place] {
		names = t.context.below(place)
	}
	var except *ignore
	for _, name := range names {
		e := t.context.entries[name]
		if e == nil || e.kind != odd {
			continue
		}
		if except == nil { // a wrong pattern is reported where it is translated
			except, _ = newIgnore(c.exclude, t.budget)
		}
		if except != nil {
			if out, _ := except.orParent(strings.TrimPrefix(name, place+"/")); out {
				continue
			}
		}
		message := i18n.T("%s: %s of the build context is a device, or a link to nowhere.", c.name, show(name))
		t.failIn(s, c.loc, "OddSource", "%s", "List it in .dockerignore, or remove it from the context.", message)
		return false
	}
	return true
}

// matches lists the entries of the context that a pattern names, as filepath.Match does.
func (t *translator) matches(folder, wild string) (found []string) {
	at, _, _ := t.find(folder, true)
	prefix := ""
	if at != "" {
		prefix = at + "/"
	}
	fixed := prefix + wild[:strings.IndexAny(wild, `*?[\`)]
	names := t.context.names
	names = names[sort.SearchStrings(names, fixed):]
	depth := strings.Count(wild, "/")
	for _, name := range names {
		if !strings.HasPrefix(name, fixed) || !t.spend(1+len(name)/32) {
			return found
		}
		rest := name[len(prefix):]
		if strings.Count(rest, "/") != depth {
			continue
		}
		if !t.spend(len(rest) * len(wild) / 32) {
			return found
		}
		if hit, err := path.Match(wild, rest); hit && err == nil {
			found = append(found, name)
		}
	}
	return found
}

// tooComplex refuses what takes too long. Where it stands is the instruction that went over the limit.
func (t *translator) tooComplex() {
	message := i18n.Key("This Dockerfile takes too long to translate.")
	advice := i18n.Key("Use fewer instructions, variables and patterns, or a smaller build context.")
	switch {
	case t.here != nil:
		message = "This Dockerfile takes too long to translate. The translation stopped at this instruction."
		advice = "Use fewer or shorter variables and patterns here and in the lines before, or a smaller build context."
	case t.stages == nil && t.source.Context != nil:
		message = "The .dockerignore of the build context takes too long: it has too many patterns for so many files."
		advice = "Use fewer patterns: exclude a folder instead of its files."
	}
	t.at(t.here, finding("TooComplex", Error, message, advice))
}

// missingAdvice says why a source may be missing.
func (t *translator) missingAdvice(src string) i18n.Text {
	switch {
	case t.source.Context == nil:
		return i18n.T("Upload the build context: an archive of the folder where docker build runs.")
	case t.ignored != nil:
		if _, e, _ := t.source.Context.find(src, true, t.budget); e != nil {
			return i18n.T("%s excludes it. Correct that file, or the instruction.", t.ignored.file)
		}
	}
	if _, e, via := t.find(src, true); e == nil && len(via) > 0 {
		last := via[len(via)-1]
		return i18n.T("%s is a link to %s, which is not in the build context.", last,
			show(t.context.entries[last].link))
	}
	near, base := "", path.Base(src)
	for _, name := range t.context.names {
		if !t.spend(1) {
			break
		}
		if strings.EqualFold(path.Base(name), base) {
			near = name
			break
		}
	}
	if near != "" {
		return i18n.T("The context contains %s. Paths are relative to the context, and case-sensitive.", near)
	}
	return i18n.T("Add the file to the build context. Paths are relative to the context.")
}

// archiveKind tells whether ADD unpacks a file: "tar", "" or, where only the build machine can tell, "maybe". (A block
// of bzip2 takes tens of milliseconds.)
func (t *translator) archiveKind(e *entry) string {
	if e.size < 4 {
		return ""
	}
	f := t.files.open(e)
	defer f.Close()
	return archiveKind(f)
}

func archiveKind(f io.Reader) string {
	b := bufio.NewReader(f)
	begin, _ := b.Peek(6)
	is := func(magic string) bool { return bytes.HasPrefix(begin, []byte(magic)) }
	var r io.Reader = b
	switch {
	case is("\x1f\x8b\x08"):
		z, err := gzip.NewReader(b)
		if err != nil {
			return ""
		}
		r = z
	case is("BZh"), is("\xfd7zXZ\x00"), is("\x28\xb5\x2f\xfd"):
		return "maybe"
	}
	if _, err := tar.NewReader(io.LimitReader(r, 2<<20)).Next(); err != nil { // no header is so long
		return ""
	}
	return "tar"
}
