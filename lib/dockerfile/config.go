package dockerfile

import (
	"maps"
	"slices"
	"strings"

	images "toaster.do/lib/image"
)

// config is what the image is to be run with, and whether that is the Dockerfile's doing.
type config struct {
	images.Config
	author string
	runs   bool // ENTRYPOINT or CMD was set by the Dockerfile, or by an image of a registry
}

func (c config) clone() config {
	c.ExposedPorts, c.Volumes, c.Labels = maps.Clone(c.ExposedPorts), maps.Clone(c.Volumes), maps.Clone(c.Labels)
	c.Env, c.OnBuild = slices.Clone(c.Env), slices.Clone(c.OnBuild)
	return c
}

func (c *config) setEnv(key, value string) {
	key += "="
	for i, kv := range c.Env {
		if strings.HasPrefix(kv, key) {
			c.Env[i] = key + value
			return
		}
	}
	c.Env = append(c.Env, key+value)
}

func (c *config) shell() []string {
	if len(c.Shell) > 0 {
		return slices.Clone(c.Shell)
	}
	return []string{"/bin/sh", "-c"}
}

// argv returns what runs when the application starts: the entry point with CMD as its arguments.
func (c *config) argv() []string {
	return append(slices.Clone(c.Entrypoint), c.Cmd...)
}
