package dockerfile

import (
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"

	images "toaster.do/lib/image"
)

// Named is an image of a registry that a Dockerfile needs.
type Named struct {
	images.Want
	Line int // where it is first named
}

// Images returns the images of registries that the stages which are built need: of FROM, COPY --from and
// RUN --mount=from, each once for each platform. Plain Debian and Devuan behind FROM are none: those bases are made
// here. Of a Dockerfile that can't be read there are none.
func Images(s Source) (all []Named) {
	t := &translator{report: &report{}, budget: &budget{cancel: s.Cancel}, source: s}
	t.over, t.report.plain = t.tooComplex, t.plain()
	defer func() {
		if recover() != nil { // Check reports it
			all = nil
		}
	}()
	t.lint = linter.New(&linter.Config{})
	p := parse(s.Dockerfile, t.lint, t.report)
	if p == nil {
		return nil
	}
	t.plan(p)
	seen := map[images.Want]bool{}
	for _, st := range t.stages {
		if !st.needed {
			continue
		}
		platform := t.platformOf(st)
		for _, n := range t.imagesOf(st) {
			n.Platform = platform
			if !seen[n.Want] && validReference(n.Reference) {
				seen[n.Want] = true
				all = append(all, n)
			}
		}
	}
	return all
}

// platformOf is the platform of a stage's image.
func (t *translator) platformOf(s *stage) string {
	if r, err := t.replace(t.lex, s.in.Platform, &t.globals); err == nil && r.Result != "" {
		return normalPlatform(r.Result)
	}
	return Platform(t.source.Arch)
}

func (t *translator) imagesOf(s *stage) (all []Named) {
	add := func(reference string, line int) {
		all = append(all, Named{images.Want{Reference: reference}, line})
	}
	if i := parseImage(s.image); s.base == nil && !s.scratch && i.distribution() == "" && i.registry != "localhost" {
		line, _ := lines(s.in.Location)
		add(s.image, line)
	}
	for _, c := range s.commands {
		line, _ := lines(c.Location())
		switch in := c.Command.(type) {
		case *instructions.CopyCommand:
			if _, err := strconv.Atoi(in.From); err != nil && !t.isStage(in.From) {
				add(in.From, line)
			}
		case *instructions.RunCommand:
			for _, m := range instructions.GetMounts(in) {
				if !t.isStage(m.From) {
					add(m.From, line)
				}
			}
		}
	}
	return all
}

// isStage tells whether a name is a stage's, or nothing that a registry could have.
func (t *translator) isStage(name string) bool {
	return name == "" || name == "scratch" || t.byName[strings.ToLower(name)] != nil
}

// Arch is Debian's name of a platform of Docker's; ok is false for one that Debian has no name for.
func Arch(platform string) (arch string, ok bool) {
	for arch := range platforms {
		if arch != "" && Platform(arch) == normalPlatform(platform) {
			return arch, true
		}
	}
	return "", false
}
