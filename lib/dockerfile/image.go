package dockerfile

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Image is an image of a registry, as it was found there: what a stage that is based on it begins with.
type Image struct {
	Reference string   // HOST/NAME@sha256:HEX, of the manifest for the target's platform
	Layers    []string // their digests, sha256:HEX, the lowest first
	MaxLayer  int64    // bytes of the largest layer, as it is fetched
	Config    []byte   // the member "config" of the image's configuration, as JSON; empty: none
}

// Images returns the images of registries that a source needs, by the names in it, in order, each once. Those that
// toaster makes itself, and those of stages that the image is not made from, are left out.
func Images(s Source) []string {
	s.Images = nil
	t := newTranslator(s)
	defer func() { _ = recover() }() // Check reports it
	if p := parse(s.Dockerfile, t.lint, t.report); p != nil {
		t.plan(p)
	}
	var list []string
	for _, st := range slices.Concat(t.stages, t.extra) {
		if st.needed && st.foreign && !slices.Contains(list, st.image) {
			list = append(list, st.image)
		}
	}
	return list
}

// isForeign tells whether an image is to be fetched: toaster makes plain Devuan and Debian itself, and nobody else has
// what is only on a person's computer.
func isForeign(name string) bool {
	i := parseImage(name)
	return i.distribution() == "" && i.registry != "localhost"
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
	s.foreign = !s.scratch && isForeign(name)
	t.extra = append(t.extra, s)
	return s
}

// locked returns what is known of a stage's image. Where it is unknown, that is told once, and the image is empty.
func (t *translator) locked(s *stage) Image {
	i, ok := t.source.Images[s.image]
	if !ok && t.source.Images != nil && s.needed {
		t.failIn(s, s.in.Location, "ImageNotLocked",
			fmt.Sprintf("The image %s has not been looked up in its registry.", s.image),
			"Look it up again. If the registry does not have it, correct its name.")
	}
	return i
}

// beginImage gives a stage what its image says.
func (t *translator) beginImage(s *stage) {
	if text := t.locked(s).Config; len(text) > 0 {
		if !t.spend(len(text) / 8) {
			return
		}
		if err := json.Unmarshal(text, &s.config); err != nil {
			t.failIn(s, s.in.Location, "ImageConfig", fmt.Sprintf("The configuration of %s can't be read.", s.image),
				"Use another image, or another version of it.")
			return
		}
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
	s.workdirSet = c.WorkingDir != ""
	c.WorkingDir = path.Join("/", c.WorkingDir)
	if !validSignal(c.StopSignal) {
		c.StopSignal = ""
	}
	c.runs = len(c.argv()) > 0 && !isShell(c.argv())
	c.OnBuild = nil
}

// triggers are the ONBUILD instructions of what a stage is based on.
func (t *translator) triggers(s *stage) (list []string) {
	if s.base == nil {
		if s.foreign {
			var c config
			_ = json.Unmarshal(t.locked(s).Config, &c) // beginImage tells
			list = c.OnBuild
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
	for _, s := range slices.Concat(t.stages, t.extra) {
		if r := t.source.Images[s.image].Reference; s.needed && s.foreign && !slices.Contains(list, r) {
			list = append(list, r)
		}
	}
	return list
}

// roots writes what makes the roots that stages begin with, but for those of other stages.
func (t *translator) roots() string {
	var w strings.Builder
	fetched := map[string]int{}
	for _, s := range slices.Concat(t.stages, t.extra) {
		i := t.source.Images[s.image]
		at, again := fetched[i.Reference]
		switch {
		case !s.needed || s.inTree || s.base != nil:
		case s.scratch:
			fmt.Fprintf(&w, "zf_mkdir -m 755 $STAGES/%d\n", s.index)
		case !s.foreign:
			fmt.Fprintf(&w, "snapshot $TREE $STAGES/%d\n", s.index)
		case again:
			fmt.Fprintf(&w, "snapshot $STAGES/%d $STAGES/%d\n", at, s.index)
		default:
			fetched[i.Reference] = s.index
			w.WriteString("image " + words(append([]string{strconv.Itoa(s.index), i.Reference,
				strconv.FormatInt(i.MaxLayer, 10)}, i.Layers...)...) + "\n")
		}
	}
	w.WriteString("forget_account\n")
	return w.String()
}

func (t *translator) needsImages() bool {
	return slices.ContainsFunc(slices.Concat(t.stages, t.extra), func(s *stage) bool { return s.needed && s.foreign })
}
