package dockerfile

import (
	"bytes"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
)

// NeedsContext tells whether a Dockerfile takes anything from its build context: docker build needs a folder for it
// then. One that can't be read may need one if it has the word COPY or ADD.
func NeedsContext(text []byte) bool {
	p := parse(text, linter.New(&linter.Config{}), &report{})
	if p == nil {
		upper := bytes.ToUpper(text)
		return bytes.Contains(upper, []byte("COPY ")) || bytes.Contains(upper, []byte("ADD "))
	}
	for _, s := range p.stages {
		for _, c := range s.Commands {
			if takesContext(c) {
				return true
			}
		}
	}
	return false
}

func takesContext(c instructions.Command) bool {
	switch in := c.(type) {
	case *instructions.CopyCommand:
		return in.From == "" && len(in.SourcePaths) > 0 // without: heredocs alone
	case *instructions.AddCommand:
		for _, source := range in.SourcePaths {
			if !isURL(source) && !isGit(source) {
				return true
			}
		}
	case *instructions.RunCommand:
		same := func(word string) (string, error) { return word, nil }
		if in.Expand(same) != nil { // which reads the mounts
			return false
		}
		for _, m := range instructions.GetMounts(in) {
			if m.Type == instructions.MountTypeBind && m.From == "" {
				return true
			}
		}
	case *instructions.OnbuildCommand:
		return false // for images that are based on this one
	}
	return false
}
