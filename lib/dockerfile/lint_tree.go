package dockerfile

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// These are rules for what docker build does in silence too, and what hurts a system that boots.

var (
	lostFile = lazy(`(?:>>?|\btee\b[^;&|\n]*|\bsed\b[^;&|\n]*-i[^;&|\n]*)` +
		`\s*["']?(/etc/(?:hosts|resolv\.conf))["']?(?:[\s;&|)]|$)|` +
		`\b(?:cp|mv|ln|install)\b[^;&|\n]*\s["']?(/etc/(?:hosts|resolv\.conf))["']?\s*(?:[;&|)\n]|$)`)
	stopsAt   = lazy(`(?m)^\s*set\s+(-[a-z]*e|-o\s+errexit)`)
	continues = lazy(`(\\|&&|\|\|?|\b(do|then|else)|[{(;])$`)
)

// lintLost looks for what RUN writes to the files that the sandbox puts its own over.
func (t *translator) lintLost(c command, text string) {
	if !strings.Contains(text, "/etc/") && !strings.Contains(text, "resolvconf") {
		return
	}
	if m := lostFile().FindStringSubmatch(text); m != nil {
		t.warn(c.Location(), Warning, "LostFile",
			"Changes that RUN makes to %s are lost after the step, as with docker build: the build uses its own file there.",
			"COPY the file instead.", m[1]+m[2])
	}
	if slices.Contains(shellWords(strings.Join(apt(text, "install"), "\n")), "resolvconf") {
		t.warn(c.Location(), Warning, "LostFile",
			"resolvconf can't be installed in a build: it replaces /etc/resolv.conf, where the build has its own file.",
			"Omit it, or install it when the image is running.")
	}
}

// lintHeredocs looks at the line ends of heredocs, and at a RUN whose shell goes on after a line that fails.
func (t *translator) lintHeredocs(c command, in *instructions.RunCommand) {
	for _, f := range in.Files {
		t.lintLineEnds(c.Location(), f.Data)
	}
	if len(in.Files) == 0 || parser.MustParseHeredoc(in.CmdLine[0]) == nil {
		return
	}
	data, lines, open := in.Files[0].Data, 0, false
	if strings.HasPrefix(strings.TrimSpace(data), "#!") || stopsAt().MatchString(data) || !t.spend(len(data)/16) {
		return
	}
	for line := range strings.Lines(data) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if !open {
			lines++
		}
		open = continues().MatchString(line)
	}
	if lines > 1 {
		t.warn(c.Location(), Note, "HeredocGoesOn",
			"The shell continues after a line of the heredoc fails. RUN only fails if the last line does.",
			"Start the heredoc with set -e.")
	}
}

func (t *translator) lintLineEnds(loc []parser.Range, data string) {
	if strings.Contains(data, "\r\n") {
		t.warn(loc, Warning, "HeredocLineEnds",
			"The lines of the heredoc end with CR LF, which most Linux programs can't read.",
			"Save the Dockerfile with Unix line endings.")
	}
}

// lintCopy looks at what a COPY or ADD does to folders.
func (t *translator) lintCopy(s *stage, c copying, dest, mode string) {
	for _, h := range c.SourceContents {
		t.lintLineEnds(c.loc, h.Data)
	}
	above := path.Dir(dest)
	if strings.HasSuffix(dest, "/") {
		above = path.Clean(dest)
	}
	if c.link && c.chmod == "" {
		for _, folder := range []string{"/tmp", "/var/tmp", "/root"} {
			if above == folder || strings.HasPrefix(above, folder+"/") {
				t.warn(c.loc, Warning, "LinkMode",
					"%s --link creates the parent folders again: %s gets the mode 755, as with docker build.",
					"Remove --link, or copy to another folder.", c.name, folder)
			}
		}
	}
	n, err := strconv.ParseUint(mode, 8, 32)
	if mode == "" || err != nil || n&0o111 != 0 {
		return
	}
	for _, src := range c.SourcePaths {
		if _, e, _ := t.find(src, true); c.from == nil && !hasWildcards(src) && !isURL(src) &&
			e != nil && e.kind == dir {
			t.warn(c.loc, Warning, "ChmodFolder",
				"--chmod=%s applies to folders, too: only root can enter the copied folders.",
				"Write --chmod=u=rwX,go=rX: X applies to folders only.", c.chmod)
			return
		}
	}
	if !usualFolder(above) && (s.config.WorkingDir != above) {
		t.warn(c.loc, Note, "ChmodFolder",
			"--chmod=%s applies to new folders, too: if %s does not exist yet, only root can enter it.",
			"Create the folder before, with RUN mkdir -p or WORKDIR. Or write --chmod=u=rwX,go=rX.", c.chmod, above)
	}
}

// usualFolder tells the folders that a Debian system has from the start.
func usualFolder(p string) bool {
	usual := strings.Fields("/ /etc /opt /srv /home /root /tmp /run /var /var/lib /var/log /var/www /var/tmp " +
		"/usr /usr/bin /usr/sbin /usr/lib /usr/share /usr/local /usr/local/bin /usr/local/sbin /usr/local/lib " +
		"/usr/local/share /usr/local/etc /bin /sbin /lib")
	return slices.Contains(usual, p) || path.Dir(p) == "/etc"
}
