// Package image says what an image of a registry is, and holds the lock: what the references of a Dockerfile mean.
// It knows no network; package registry asks.
package image

import (
	"slices"
	"strings"
	"time"

	"toaster.do/lib/apperr"
)

// Want is an image that somebody names, for a platform: "linux/arm/v7".
type Want struct{ Reference, Platform string }

// Image is what a registry says of an image.
type Image struct {
	Reference string // as it was written
	Platform  string // that was asked for
	Digest    string // of the platform's manifest
	MediaType string // likewise
	Layers    []Layer
	Size      int64 // of all layers, as they are fetched
	Config    Config
	Release   Release
}

// Layer is a part of an image's files.
type Layer struct {
	Digest    string
	MediaType string
	Size      int64
}

// Config is what an image says of itself, under the names of the OCI image configuration.
// https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md
type Config struct {
	OS           string              `json:"os,omitempty"`
	Architecture string              `json:"architecture,omitempty"`
	Variant      string              `json:"variant,omitempty"`
	User         string              `json:",omitempty"`
	ExposedPorts map[string]struct{} `json:",omitempty"`
	Env          []string            `json:",omitempty"`
	Entrypoint   []string            `json:",omitempty"`
	Cmd          []string            `json:",omitempty"`
	Volumes      map[string]struct{} `json:",omitempty"`
	WorkingDir   string              `json:",omitempty"`
	Labels       map[string]string   `json:",omitempty"`
	StopSignal   string              `json:",omitempty"`
	Healthcheck  *Healthcheck        `json:",omitempty"`
	OnBuild      []string            `json:",omitempty"`
	Shell        []string            `json:",omitempty"`
}

// Healthcheck is Docker's addition to that configuration; times are in nanoseconds.
type Healthcheck struct {
	Test          []string      `json:",omitempty"`
	Interval      time.Duration `json:",omitempty"`
	Timeout       time.Duration `json:",omitempty"`
	StartPeriod   time.Duration `json:",omitempty"`
	StartInterval time.Duration `json:",omitempty"`
	Retries       int           `json:",omitempty"`
}

// Problem is why an image could not be looked up.
type Problem struct {
	Want
	Err *apperr.Error
}

// Passes tells whether looking again later may help: nothing is wrong with the reference itself.
func (p Problem) Passes() bool {
	return p.Err.Kind == apperr.Unavailable || p.Err.Kind == apperr.RateLimited || p.Err.Kind == apperr.Internal
}

// Rank says how well an image of the platform have runs where want does: 0 is best, negative is not at all. An ARM
// processor runs what was made for its elders, as Docker has it.
func Rank(want, have string) int {
	w, h := parts(want), parts(have)
	if w[0] != h[0] || w[1] != h[1] {
		return -1
	}
	if w[1] == "arm" && armForm(w[2]) && armForm(h[2]) {
		return int(w[2][1]) - int(h[2][1])
	}
	if w[2] != h[2] {
		return -1
	}
	return 0
}

// armForm tells whether a variant is one of v5 to v8.
func armForm(variant string) bool { return len(variant) == 2 && variant >= "v5" && variant <= "v8" }

// parts are system, architecture and variant; a variant that is understood is left out.
func parts(platform string) (p [3]string) {
	copy(p[:], strings.SplitN(platform, "/", 3))
	switch {
	case p[1] == "arm" && p[2] == "":
		p[2] = "v7"
	case p[1] == "arm64" && p[2] == "v8", p[1] == "amd64" && p[2] == "v1":
		p[2] = ""
	}
	return p
}

// Platform puts a platform together.
func Platform(os, architecture, variant string) string {
	unsaid := func(s string) bool { return s == "" }
	return strings.Join(slices.DeleteFunc([]string{os, architecture, variant}, unsaid), "/")
}
