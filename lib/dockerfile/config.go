package dockerfile

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// config is what the image is to be run with, under the names of the OCI image configuration.
// https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md
type config struct {
	User         string              `json:",omitempty"`
	ExposedPorts map[string]struct{} `json:",omitempty"`
	Env          []string            `json:",omitempty"`
	Entrypoint   []string            `json:",omitempty"`
	Cmd          []string            `json:",omitempty"`
	Volumes      map[string]struct{} `json:",omitempty"`
	WorkingDir   string              `json:",omitempty"`
	Labels       map[string]string   `json:",omitempty"`
	StopSignal   string              `json:",omitempty"`
	Healthcheck  *healthcheck        `json:",omitempty"`
	OnBuild      []string            `json:",omitempty"`
	Shell        []string            `json:",omitempty"`

	author string
	runs   bool // ENTRYPOINT or CMD was set by the Dockerfile
}

// healthcheck is Docker's addition to that configuration; times are in nanoseconds.
type healthcheck struct {
	Test                                          []string      `json:",omitempty"`
	Interval, Timeout, StartPeriod, StartInterval time.Duration `json:",omitempty"`
	Retries                                       int           `json:",omitempty"`
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
