package dockerfile

import (
	"archive/tar"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"fmt"
	"io"
	"path"
	"sort"
	"strings"
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
		for _, name := range t.context.below(place) {
			t.packed[name] = true
		}
	}
}

// wantSources finds a source of COPY or ADD in the context, and reports it when it is not there.
func (t *translator) wantSources(s *stage, c copying, src string) bool {
	missing := func() bool {
		t.failIn(s, c.loc, "MissingSource", fmt.Sprintf("%s: %s is not in the build context.", c.name, show(src)), t.missingAdvice(src))
		return false
	}
	start := path.Join("/", src)
	if c.parents {
		pivot, pattern := pivotOf(src)
		if !hasWildcards(pivot) && !hasWildcards(pattern) {
			if _, e, _ := t.context.find(path.Join(pivot, pattern), true); e == nil {
				return missing()
			}
		}
		start = pivot
	}
	folder, wild := splitWildcards(start)
	at, e, via := t.context.find(folder, true)
	if e == nil || t.source.Context == nil {
		return missing()
	}
	if !s.needed {
		return true
	}
	if wild == "" {
		t.want(at, via)
		return true
	}
	t.mark(append(via, at)...)
	for _, name := range t.matches(folder, wild) {
		place, _, via := t.context.find(name, true)
		t.want(name, append(via, place))
		t.want(place, nil)
	}
	return true
}

// matches lists the entries of the context that a pattern names, as filepath.Match does.
func (t *translator) matches(folder, wild string) (found []string) {
	at, _, _ := t.context.find(folder, true)
	prefix := ""
	if at != "" {
		prefix = at + "/"
	}
	fixed := prefix + wild[:strings.IndexAny(wild, `*?[\`)]
	names := t.context.names
	names = names[sort.SearchStrings(names, fixed):]
	depth := strings.Count(wild, "/")
	for i, name := range names {
		if !strings.HasPrefix(name, fixed) {
			t.spend(i)
			return found
		}
		rest := name[len(prefix):]
		if strings.Count(rest, "/") != depth {
			continue
		}
		if hit, err := path.Match(wild, rest); hit && err == nil {
			found = append(found, name)
		}
	}
	t.spend(len(names))
	return found
}

const enough = 3_000_000

// spend counts work, so that no Dockerfile keeps a request busy. One that was written by a person is far from the limit.
func (t *translator) spend(n int) bool {
	if t.work < enough && t.work+n >= enough {
		t.add(Finding{Rule: "TooComplex", Level: Error, Message: "This Dockerfile with this context takes too long to translate.", Advice: "Use fewer patterns, or a smaller context."})
	}
	t.work += n
	return t.work < enough
}

// missingAdvice says why a source may be missing.
func (t *translator) missingAdvice(src string) string {
	switch {
	case t.source.Context == nil:
		return "Upload the build context: an archive of the folder that docker build is run in."
	case t.ignored != nil:
		if _, e, _ := t.source.Context.find(src, true); e != nil {
			return "The .dockerignore leaves it out; correct that, or the instruction."
		}
	}
	near := ""
	for _, name := range t.context.names {
		if strings.EqualFold(path.Base(name), path.Base(src)) {
			near = name
			break
		}
	}
	if near != "" {
		return "The context has " + near + "; paths are relative to the context, and upper and lower case differ."
	}
	return "Add it to the context; only what is in the context can be copied, by its path from there."
}

// archiveKind tells whether ADD unpacks data: "tar", "" or, where only the build machine can tell, "maybe".
func archiveKind(data []byte) string {
	var r io.Reader = bytes.NewReader(data)
	switch {
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b, 8}):
		z, err := gzip.NewReader(r)
		if err != nil {
			return ""
		}
		r = z
	case bytes.HasPrefix(data, []byte("BZh")):
		r = bzip2.NewReader(r)
	case bytes.HasPrefix(data, []byte{0xfd, '7', 'z', 'X', 'Z', 0}), bytes.HasPrefix(data, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return "maybe"
	}
	if _, err := tar.NewReader(r).Next(); err != nil {
		return ""
	}
	return "tar"
}
