package dockerfile

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"toaster.do/lib/i18n"
)

// copying is a COPY or ADD, its variables replaced.
type copying struct {
	instructions.SourcesAndDest
	name          string // COPY or ADD
	chown, chmod  string
	checksum      string
	link, parents bool
	add           bool
	unpack, keep  *bool
	exclude       []string
	from          *stage
	hasFrom       bool
	loc           []parser.Range
	lint          *linter.Linter
}

func (t *translator) copy(s *stage, c copying) {
	if c.hasFrom && c.from == nil {
		return // reported already
	}
	mode, message, advice := c.check()
	if !message.IsZero() {
		t.failIn(s, c.loc, "Syntax", "%s", advice, message)
		return
	}
	linked := c.link && c.chmod == ""
	if linked {
		s.emit("layer")
	}
	dest := s.normal(c.DestPath, true)
	s.emit("into", dest, c.chown, mode)
	t.lintCopy(s, c, dest, mode)
	if len(c.SourcePaths)+len(c.SourceContents) > 1 && !strings.HasSuffix(dest, "/") && !strings.HasSuffix(dest, "/.") {
		s.emit("into_folder")
	}
	for _, p := range c.exclude {
		if !t.spend(10 + 40*len(p)) { // [^a] becomes a hundred alternatives
			return
		}
		re, not, err := patternRegexp(p)
		switch {
		case err != nil:
			t.failIn(s, c.loc, "Syntax", "--exclude=%s: %v", "Correct the pattern.", p, err)
			return
		case not:
			s.emit("except", re, "not")
		default:
			s.emit("except", re)
		}
	}
	for _, src := range c.SourcePaths {
		t.source1(s, c, src)
	}
	for _, h := range c.SourceContents {
		n := t.nextInline()
		s.emit("inline", n, path.Base(h.Path), h.Data)
		s.body.WriteString("put $WORK/inline/" + n + " " + quote("/"+path.Base(h.Path)) + "\n")
	}
	if linked {
		s.emit("merge")
	}
}

// check looks at the flags; mode is --chmod's, spelled out.
func (c copying) check() (mode string, message i18n.Text, advice i18n.Key) {
	mode, err := chmodOf(c.chmod)
	switch {
	case err != nil:
		return "", i18n.T("--chmod=%s is not a mode: it should be an octal string between 0 and 07777.",
			c.chmod), "Write an octal mode such as 0644, or one such as u=rwX,go=rX."
	case !chownForm().MatchString(c.chown):
		return "", i18n.T("--chown=%s is not a user and group.",
			c.chown), "Write --chown=user:group, by names or numbers."
	case c.link && !chownNumbers().MatchString(c.chown):
		return "", i18n.T("--chown with names cannot be used with --link."), "Use numbers, or remove --link."
	case c.checksum != "" && (len(c.SourcePaths) != 1 || !isURL(c.SourcePaths[0]) && !isGit(c.SourcePaths[0])):
		return "", i18n.T("--checksum needs a single source that is a URL."),
			"Remove --checksum, or use a separate ADD for each URL."
	}
	return mode, i18n.Text{}, ""
}

var (
	chownForm    = lazy(`^[^:\n]*(:[^:\n]*)?$`)
	chownNumbers = lazy(`^((root|[0-9]+)(:(root|[0-9]*))?)?$`)
	symbolicMode = lazy(`^[ugoa]*([-+=]([rwxXst]*|[ugo]))+(,[ugoa]*([-+=]([rwxXst]*|[ugo]))+)*$`)
)

// lazy compiles a regular expression when it is first used: each request is a process of its own.
func lazy(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// chmodOf checks --chmod: octal up to 7777, or chmod(1)'s symbols.
func chmodOf(mode string) (string, error) {
	if mode == "" {
		return "", nil
	}
	if n, err := strconv.ParseUint(mode, 8, 32); err == nil && n <= 0o7777 {
		return fmt.Sprintf("%04o", n), nil
	}
	if symbolicMode().MatchString(mode) {
		return mode, nil
	}
	return "", fmt.Errorf("--chmod=%s is not a mode: it should be an octal string between 0 and 07777", mode)
}

func isURL(src string) bool {
	return strings.HasPrefix(src, "http://") || strings.HasPrefix(src, "https://")
}

// source1 translates one source.
func (t *translator) source1(s *stage, c copying, src string) {
	switch {
	case isGit(src):
		if !c.add {
			t.failIn(s, c.loc, "Syntax", "COPY cannot fetch a Git repository.", "Use ADD with the archive of the commit.")
			return
		}
		t.addGit(s, c, src)
	case isURL(src):
		t.fetch(s, c, src)
	case c.from != nil:
		t.put(s, c, src, c.from.root())
	default:
		t.lintIgnored(c, src)
		if t.wantSources(s, c, src) {
			t.put(s, c, src, "$CONTEXT")
		}
	}
}

// put writes the builder's call for a source in a root, which is a word of the builder.
func (t *translator) put(s *stage, c copying, src, root string) {
	call := func(function string, args ...string) {
		s.body.WriteString(function + " " + root + " " + words(args...) + "\n")
	}
	if c.parents {
		pivot, pattern := pivotOf(src)
		if !t.spend(40 * len(src)) {
			return
		}
		re, _, err := patternRegexp(strings.TrimPrefix(pattern, "/"))
		if err != nil {
			t.failIn(s, c.loc, "Syntax", "%s: %v", "Correct the pattern.", src, err)
			return
		}
		folder, wild := splitWildcards(pivot)
		args := []string{folder, "", re}
		switch {
		case wild != "":
			glob, err := globRegexp(wild)
			if err != nil {
				t.failIn(s, c.loc, "Syntax", "%s: %v", "Correct the pattern.", src, err)
				return
			}
			args = append(args, strconv.Itoa(strings.Count(wild, "/")), glob)
		case !hasWildcards(pattern):
			args[1] = path.Join("/", pivot, pattern)
		}
		call("put_parents", args...)
		return
	}
	p := path.Join("/", src)
	folder, wild := splitWildcards(p)
	switch {
	case wild != "" && c.add && c.from == nil: // each match may be an archive
		for _, name := range t.matches(folder, wild) {
			t.putOne(call, c, "/"+name)
		}
	case wild != "" && !t.spend(40*len(wild)):
	case wild != "":
		re, err := globRegexp(wild)
		if err != nil {
			t.failIn(s, c.loc, "Syntax", "%s: %v", "Correct the pattern.", src, err)
			return
		}
		call("put_glob", folder, strconv.Itoa(strings.Count(wild, "/")), re)
	default:
		t.putOne(call, c, p)
	}
}

// putOne writes the call for a source without wildcards.
func (t *translator) putOne(call func(string, ...string), c copying, p string) {
	if how := c.archive(t, p); how != "" {
		call("unpack", p, how)
		return
	}
	call("put", p)
}

// pivotOf cuts a source of --parents at /./ into the folder to start from and the pattern.
func pivotOf(src string) (pivot, pattern string) {
	parent, pattern, ok := strings.Cut(src, "/./")
	if !ok {
		return "/", path.Join("/", src)
	}
	return path.Join("/", parent), path.Join("/", pattern)
}

// archive tells how a source of ADD is unpacked: "" not at all, "tar", or "maybe" when its contents will tell.
func (c copying) archive(t *translator, p string) string {
	if !c.add || c.unpack != nil && !*c.unpack {
		return ""
	}
	_, e, _ := t.find(p, true)
	if e == nil || e.kind != file {
		return ""
	}
	how, known := t.archives[e]
	if !known && t.spend(400) {
		how = t.archiveKind(e)
		t.archives[e] = how
	}
	return how
}

// fetch translates ADD of a URL.
func (t *translator) fetch(s *stage, c copying, src string) {
	if !c.add {
		t.failIn(s, c.loc, "Syntax", "COPY cannot fetch a URL.", "Use ADD.")
		return
	}
	if c.checksum != "" && !checksumForm().MatchString(c.checksum) {
		t.failIn(s, c.loc, "Syntax", "--checksum=%s is not ALGORITHM:HEX.",
			"Write --checksum=sha256: and 64 hexadecimal digits.", c.checksum)
		return
	}
	if strings.ContainsAny(src, " \n\t") {
		t.failIn(s, c.loc, "Syntax", "The URL contains white space.", "Escape it as %20.")
		return
	}
	name := "__unnamed__"
	if u, err := url.Parse(src); err == nil {
		if base := path.Base(u.Path); base != "." && base != "/" && base != ".." {
			name = base
		}
	}
	n := t.nextInline()
	s.emit("fetch", n, name, src, c.checksum)
	function := "put"
	if c.unpack != nil && *c.unpack {
		function = "unpack"
	}
	s.body.WriteString(function + " $WORK/inline/" + n + " " + quote("/"+name))
	if function == "unpack" {
		s.body.WriteString(" maybe")
	}
	s.body.WriteString("\n")
}

var checksumForm = lazy(`^(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$`)
