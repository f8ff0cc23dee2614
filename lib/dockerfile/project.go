package dockerfile

import (
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"

	"toaster.do/lib/apperr"
	"toaster.do/lib/buildcontext"
	"toaster.do/lib/i18n"
)

// An archive of a whole project has its Dockerfile inside, and often all of it in one folder, as every download of a
// forge.

// FindDockerfile returns the name and the text of the Dockerfile that an archive has: in its root, or in the only
// folder there.
// asked is its name where somebody has said it, or empty. Where several fit, the fault, of the field dockerfile_path,
// names them.
func (c *Context) FindDockerfile(asked string) (name string, text []byte, err error) {
	root := c
	if top := c.Top(); top != "" && c.manifest.Origin != buildcontext.FromFolder {
		asked = strings.TrimPrefix(path.Clean("/"+asked), "/")
		asked = strings.TrimPrefix(asked, top+"/")
		root = c.inside()
	}
	if asked != "" && asked != "." {
		place, e, _ := root.find(asked, true, &budget{})
		if e == nil || e.kind != file {
			return "", nil, whichOne("The archive does not contain the file %s.", "Enter its path in the archive.",
				show(asked))
		}
		return root.dockerfile(place, e)
	}
	names := root.dockerfiles()
	if len(names) == 0 {
		return "", nil, apperr.New(apperr.InvalidArgument, "There is no Dockerfile, and the archive contains none.",
			"Paste it, choose a file, or add it to the archive.").At("dockerfile")
	}
	if len(names) > 1 || strings.Contains(names[0], "/") {
		return "", nil, whichOne("No Dockerfile was uploaded, and the archive contains: %s.",
			"Enter its path in the field “Dockerfile in the archive” (dockerfile_path).", strings.Join(names, ", "))
	}
	place, e, _ := root.find(names[0], true, &budget{})
	if e == nil || e.kind != file {
		return "", nil, whichOne("The archive does not contain the file %s.", "Enter its path in the archive.",
			show(names[0]))
	}
	return root.dockerfile(place, e)
}

// dockerfileLimit is more than any limit for the text of a Dockerfile, in bytes, and what is read of one.
const dockerfileLimit = 16 << 20

func (c *Context) dockerfile(place string, e *entry) (name string, text []byte, err error) {
	if e.size > dockerfileLimit {
		return "", nil, apperr.New(apperr.TooLarge, "%s is longer than %d bytes.",
			"Move large heredocs to files in the build context.", show(place), dockerfileLimit)
	}
	f := &files{Source: c.source}
	text = f.read(e)
	return place, text, f.failure()
}

func whichOne(message, advice i18n.Key, args ...any) error {
	return apperr.New(apperr.InvalidArgument, message, advice, args...).At("dockerfile_path")
}

// usualNames are what a Dockerfile is called that docker build or podman build finds by itself.
var usualNames = []string{"dockerfile", "containerfile"}

// mostNames is how many Dockerfiles somebody can choose from.
const mostNames = 20

// dockerfiles lists what is called a Dockerfile in the root: only where there is none, those with longer names, and
// those below.
func (c *Context) dockerfiles() (names []string) {
	for _, test := range []func(string) bool{
		func(name string) bool { return slices.Contains(usualNames, strings.ToLower(name)) },
		func(name string) bool {
			base := strings.ToLower(path.Base(name))
			return slices.Contains(usualNames, base) || strings.HasPrefix(base, "dockerfile.") &&
				!strings.HasSuffix(base, ".dockerignore") ||
				strings.HasSuffix(base, ".dockerfile")
		},
	} {
		for _, name := range c.names {
			if kind := c.entries[name].kind; (kind == file || kind == link) && len(names) < mostNames && test(name) {
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			return names
		}
	}
	return nil
}

// isLitter tells what programs that pack leave in an archive's root beside the folder.
func isLitter(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return first == "__MACOSX" || first == ".DS_Store" || first == "pax_global_header" || strings.HasPrefix(first, "._")
}

// Top is the only folder in the root; empty: there is more, or less.
func (c *Context) Top() string {
	top := ""
	for _, name := range c.names {
		first, _, _ := strings.Cut(name, "/")
		if isLitter(name) || first == top {
			continue
		}
		if top != "" || c.entries[first].kind != dir {
			return ""
		}
		top = first
	}
	return top
}

// Project returns the context that docker build would be given for a Dockerfile: the only folder of an archive, where
// it is a
// project's, else the archive as it is. It is one where it holds a Dockerfile, where Git made the archive, or where
// COPY finds its sources there and not above. What the Dockerfile takes by the folder's name stays below it. It counts
// as a folder's from then on: its SHA256 is the same however it was packed.
func (c *Context) Project(text []byte) *Context {
	if c.manifest.Origin == buildcontext.FromFolder {
		return c
	}
	if c.isProject(text) {
		return c.inside()
	}
	all := *c
	all.manifest = &buildcontext.Manifest{Entries: c.manifest.Entries}
	all.sha256 = sync.OnceValue(all.manifest.Digest)
	return &all
}

// isProject tells whether the archive's only folder is the context of a Dockerfile.
func (c *Context) isProject(text []byte) bool {
	top := c.Top()
	if top == "" {
		return false
	}
	inside := c.inside()
	is := c.manifest.Origin == buildcontext.FromGit || len(inside.dockerfiles()) > 0 && !strings.Contains(inside.dockerfiles()[0], "/")
	for _, source := range sources(text) {
		source = strings.TrimPrefix(path.Clean("/"+source), "/")
		if source == "" {
			continue
		}
		if c.entries[source] != nil {
			return false
		}
		is = is || inside.entries[source] != nil
	}
	return is
}

// sources are what COPY, ADD and mounts take from the context, as far as that is known without building.
func sources(text []byte) (list []string) {
	p := parse(text, linter.New(&linter.Config{}), &report{})
	if p == nil {
		return nil
	}
	add := func(paths ...string) {
		for _, s := range paths {
			if !strings.ContainsAny(s, `$*?[\`) && !isURL(s) && !isGit(s) {
				list = append(list, s)
			}
		}
	}
	same := func(word string) (string, error) { return word, nil }
	for _, s := range p.stages {
		for _, c := range s.Commands {
			switch in := c.(type) {
			case *instructions.CopyCommand:
				if in.From == "" {
					add(in.SourcePaths...)
				}
			case *instructions.AddCommand:
				add(in.SourcePaths...)
			case *instructions.RunCommand:
				if in.Expand(same) != nil {
					continue
				}
				for _, m := range instructions.GetMounts(in) {
					if m.Type == instructions.MountTypeBind && m.From == "" {
						add(m.Source)
					}
				}
			}
		}
	}
	return list
}
