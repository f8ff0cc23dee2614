package dockerfile

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	images "toaster.do/lib/image"
)

// Named is an image of a registry that a Dockerfile needs.
type Named struct {
	images.Want
	Line int  // where it is first named
	Base bool // the last stage stands on it
}

// BaseOf is the image that the last stage stands on; zero where that is none of a registry.
func BaseOf(all []Named) (base images.Want) {
	for _, n := range all {
		if n.Base {
			base = n.Want
		}
	}
	return base
}

// Images returns the images of registries that the stages which are built need, of FROM, COPY --from and
// RUN --mount=from, each once for each platform. Plain Devuan and Debian are none: toaster makes those itself. Of a
// Dockerfile that can't be read there are none.
func Images(s Source) (all []Named) {
	t := newTranslator(s)
	defer func() {
		if recover() != nil { // Steps reports it
			all = nil
		}
	}()
	p := parse(s.Dockerfile, t.lint, t.report)
	if p == nil {
		return nil
	}
	t.plan(p)
	_, base := t.stages[len(t.stages)-1].baseImage()
	for _, st := range t.fetched() {
		line, _ := lines(st.in.Location)
		n := Named{t.wanted(st), line, st == base}
		if at := slices.IndexFunc(all, func(o Named) bool { return o.Want == n.Want }); at >= 0 {
			all[at].Base = all[at].Base || n.Base
			continue
		}
		all = append(all, n)
	}
	slices.SortStableFunc(all, func(a, b Named) int { return a.Line - b.Line })
	return all
}

// fetched are the stages that are the roots of images of registries, as far as they are built.
func (t *translator) fetched() []*stage {
	return slices.DeleteFunc(slices.Concat(t.stages, t.extra), func(s *stage) bool { return !s.needed || !s.foreign })
}

// wanted is the image of a stage for its platform.
func (t *translator) wanted(s *stage) images.Want {
	return images.Want{Reference: s.image, Platform: t.platformOf(s)}
}

// isForeign tells whether an image is to be fetched: toaster makes plain Devuan and Debian itself, and nobody else has
// what is only on a person's computer.
func (s Source) isForeign(name string) bool {
	i := s.parseImage(name)
	return i.distribution() == "" && i.registry != "localhost"
}

// otherRelease tells whether a stage needs a plain image of another release than the target's, which toaster does not
// make.
func (t *translator) otherRelease(s *stage) bool {
	if s.base != nil || s.scratch {
		return false
	}
	is, target := t.source.parseImage(s.image).codename(), t.source.Codename
	if target == "" {
		_, target = t.releaseOfLast()
	}
	return is != "" && target != "" && is != target && debianOf[target] != is && debianOf[is] != target
}

// imageStage is the stage that an image of COPY --from or of a mount is: nothing is done in it.
func (t *translator) imageStage(name string, loc []parser.Range) *stage {
	for _, s := range t.extra {
		if s.image == name {
			return s
		}
	}
	s := &stage{in: instructions.Stage{Name: name, BaseName: name, Location: loc}, index: 1000 + len(t.extra),
		image: name, scratch: name == "scratch", body: text{budget: t.budget}}
	s.foreign = !s.scratch && t.source.isForeign(name)
	t.extra = append(t.extra, s)
	return s
}

// locked is what is known of a stage's image; nil: nothing.
func (t *translator) locked(s *stage) *images.Locked { return t.source.Lock.Find(t.wanted(s)) }

// fetchName is where a registry has a locked image: HOST/NAME@DIGEST.
func fetchName(l *images.Locked) string {
	i := parseImage(l.Reference)
	name := strings.TrimPrefix(l.Reference, i.registry+"/")
	name, _, _ = strings.Cut(name, "@")
	name = strings.TrimSuffix(name, ":"+i.tag)
	switch i.registry {
	case "":
		i.registry = "docker.io"
		fallthrough
	case "docker.io":
		if !strings.Contains(name, "/") {
			name = "library/" + name
		}
	}
	return i.registry + "/" + name + "@" + l.Digest
}

// beginImage gives a stage what its image says.
func (t *translator) beginImage(s *stage) {
	l := t.locked(s)
	if l != nil {
		s.config = config{Config: l.Config}.clone()
		s.config.OS, s.config.Architecture, s.config.Variant, s.config.OnBuild = "", "", "", nil // see triggers
	}
	c := &s.config
	for _, kv := range c.Env {
		key, value, _ := strings.Cut(kv, "=")
		s.env.set(key, value)
		s.fixed[key] = true
	}
	if _, ok := s.env.Get("PATH"); !ok {
		s.env.set("PATH", defaultPath)
		c.Env = append(c.Env, "PATH="+defaultPath)
	}
	s.workdirSet = c.WorkingDir != "" || l == nil
	c.WorkingDir = path.Join("/", c.WorkingDir)
	if !validSignal(c.StopSignal) {
		c.StopSignal = ""
	}
	c.runs = len(c.argv()) > 0 && !isShell(c.argv())
	s.env.open = l == nil
}

// triggers are the ONBUILD instructions of what a stage is based on.
func (t *translator) triggers(s *stage) (list []string) {
	if s.base == nil {
		if l := t.locked(s); s.foreign && l != nil {
			list = l.Config.OnBuild
		}
		return list
	}
	for _, c := range s.base.in.Commands {
		if ob, ok := c.(*instructions.OnbuildCommand); ok {
			list = append(list, ob.Expression)
		}
	}
	return list
}

// references are those of the images that are fetched, each once.
func (t *translator) references() (list []string) {
	for _, s := range t.fetched() {
		if l := t.locked(s); l != nil && !slices.Contains(list, fetchName(l)) {
			list = append(list, fetchName(l))
		}
	}
	return list
}

// roots writes what makes the roots that stages begin with, but for those of other stages.
func (t *translator) roots() string {
	var w strings.Builder
	fetched := map[string]int{}
	for _, s := range slices.Concat(t.stages, t.extra) {
		switch {
		case s.needed && s.foreign && s.inTree:
			t.fetchBase(&w, s)
		case !s.needed || s.inTree || s.base != nil:
		case s.scratch:
			fmt.Fprintf(&w, "zf_mkdir -m 755 $STAGES/%d\n", s.index)
		case s.foreign:
			t.imageRoot(&w, s, fetched)
		default:
			fmt.Fprintf(&w, "snapshot $TREE $STAGES/%d\n", s.index)
		}
	}
	w.WriteString("forget_account\n")
	return w.String()
}

// imageRoot writes what makes the root of an image; fetched are the stages that have one already.
func (t *translator) imageRoot(w *strings.Builder, s *stage, fetched map[string]int) {
	l := t.locked(s)
	if l == nil {
		t.unknownImage(w, s)
		return
	}
	name := fetchName(l)
	if at, again := fetched[name]; again {
		fmt.Fprintf(w, "snapshot $STAGES/%d $STAGES/%d\n", at, s.index)
		return
	}
	fetched[name] = s.index
	fmt.Fprintf(w, "fetch_layers %s\nunpack_image $STAGES/%d %[1]s\n", layersOf(l), s.index)
}

// unknownImage writes what ends a build whose image was not found.
func (t *translator) unknownImage(w *strings.Builder, s *stage) {
	t.warnIn(s, "ImageNotLocked", "The image %s has not been looked up in its registry, so it can't be built.",
		"Look it up again.", s.image)
	w.WriteString("unknown_image " + quote(s.image) + "\n")
}

// layersOf are the words of the builder that say what an image is: its name, the bytes of its largest layer, and the
// digests of all.
func layersOf(l *images.Locked) string {
	call := []string{fetchName(l), ""}
	most := int64(0)
	for _, layer := range l.Layers {
		call, most = append(call, layer.Digest), max(most, layer.Size)
	}
	call[1] = strconv.FormatInt(most, 10)
	return words(call...)
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
