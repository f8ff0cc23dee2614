package dockerfile

import (
	"bytes"
	"path"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// ignore returns the context without what its .dockerignore names, and the matcher (nil: there is none).
// A Dockerfile.dockerignore goes before .dockerignore, as in BuildKit.
func (c *Context) ignore() (*Context, *patternmatcher.PatternMatcher, error) {
	text := c.entries["Dockerfile.dockerignore"]
	if text == nil {
		text = c.entries[".dockerignore"]
	}
	if text == nil || text.kind != file {
		return c, nil, nil
	}
	patterns, err := ignorefile.ReadAll(bytes.NewReader(text.data))
	if err != nil || len(patterns) == 0 {
		return c, nil, err
	}
	m, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, nil, err
	}
	left := &Context{entries: map[string]*entry{"": c.entries[""]}}
	parents := map[string]patternmatcher.MatchInfo{}
	for _, name := range c.names {
		ignored, info, err := m.MatchesUsingParentResults(name, parents[path.Dir(name)])
		if err != nil {
			return nil, nil, err
		}
		if c.entries[name].kind == dir {
			parents[name] = info
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
	return left, m, nil
}
