package dockerfile

import (
	"cmp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/linter"
)

// codenames maps what a tag says to the release's codename, for each distribution.
var codenames = map[string]map[string]string{
	"devuan": {"jessie": "jessie", "ascii": "ascii", "beowulf": "beowulf", "chimaera": "chimaera", "daedalus": "daedalus",
		"excalibur": "excalibur",
		"freia":     "freia", "ceres": "ceres", "unstable": "ceres", "oldstable": "daedalus", "stable": "excalibur",
		"latest": "excalibur", "": "excalibur",
		"1": "jessie", "2": "ascii", "3": "beowulf", "4": "chimaera", "5": "daedalus", "6": "excalibur", "7": "freia"},
	"debian": {"lenny": "lenny", "squeeze": "squeeze", "wheezy": "wheezy", "jessie": "jessie", "stretch": "stretch",
		"buster": "buster", "bullseye": "bullseye", "bookworm": "bookworm", "trixie": "trixie",
		"forky": "forky", "sid": "sid", "unstable": "sid", "stable": "trixie", "latest": "trixie", "": "trixie",
		"oldstable": "bookworm", "testing": "forky", "experimental": "sid", "rc-buggy": "sid",
		"5": "lenny", "6": "squeeze", "7": "wheezy", "8": "jessie", "9": "stretch", "10": "buster", "11": "bullseye",
		"12": "bookworm", "13": "trixie"},
}

// debianOf names the Debian release that a Devuan release is made from.
var debianOf = map[string]string{"jessie": "jessie", "ascii": "stretch", "beowulf": "buster", "chimaera": "bullseye",
	"daedalus": "bookworm", "excalibur": "trixie", "freia": "forky", "ceres": "sid"}

// image is a reference to an image, in parts.
type image struct {
	registry, name, tag, digest string
	plain                       string // the distribution that the site says it is
}

// parseImage also looks whether the site knows an image as a plain one.
func (s Source) parseImage(ref string) image {
	i := parseImage(ref)
	hosts := []string{i.registry + "/"}
	if i.registry == "" || i.registry == "docker.io" {
		hosts = []string{"", "docker.io/"}
	}
	for _, host := range hosts {
		i.plain = cmp.Or(i.plain, s.Plain[host+i.name], s.Plain[host+"library/"+i.name])
	}
	return i
}

// parseImage splits a reference such as docker.io/library/debian:bookworm-slim@sha256:….
func parseImage(ref string) (i image) {
	ref, i.digest, _ = strings.Cut(ref, "@")
	if at := strings.LastIndexByte(ref, ':'); at > strings.LastIndexByte(ref, '/') {
		ref, i.tag = ref[:at], ref[at+1:]
	}
	i.name = ref
	if host, rest, ok := strings.Cut(ref, "/"); ok && (strings.ContainsAny(host, ".:") || host == "localhost") {
		i.registry, i.name = host, rest
	}
	i.name = strings.TrimPrefix(i.name, "library/")
	return i
}

// dockerArchitectures are the users under whose names Docker has official images for one architecture.
var dockerArchitectures = strings.Fields("amd64 arm32v5 arm32v6 arm32v7 arm64v8 i386 mips64le ppc64le riscv64 s390x")

// distribution returns "devuan" or "debian" when the image is a plain base of theirs, else "".
func (i image) distribution() string {
	if i.plain != "" {
		return i.plain
	}
	if i.registry != "" && i.registry != "docker.io" && i.registry != "index.docker.io" &&
		i.registry != "registry.hub.docker.com" && i.registry != "git.devuan.dev" && i.registry != "git.devuan.org" &&
		i.registry != "public.ecr.aws" && i.registry != "mirror.gcr.io" && i.registry != "quay.io" &&
		i.registry != "ghcr.io" {
		return ""
	}
	name := strings.TrimPrefix(i.name, "docker/library/")
	if arch, rest, ok := strings.Cut(name, "/"); ok && slices.Contains(dockerArchitectures, arch) {
		name = rest
	}
	switch name {
	case "devuan/devuan", "dyne/devuan", "devuanorg/devuan", "devuan", "devuan/migrated", "devuan/ci", "dyne/devuan-ci":
		return "devuan"
	case "debian", "debian/debian", "debian/eol":
		return "debian"
	}
	return ""
}

// codename returns the release that the tag names; "" when it names none that is known.
func (i image) codename() string {
	if i.tag == "" && i.digest != "" {
		return ""
	}
	names := codenames[i.distribution()]
	tag := i.tag
	for {
		if c, ok := names[tag]; ok {
			return c
		}
		at := strings.LastIndexAny(tag, "-._")
		if at < 0 {
			return ""
		}
		tag = tag[:at]
	}
}

// Release tells what the last stage is based on, from its FROM and the defaults of the ARGs before it:
// "devuan" and "daedalus", say. Both are empty when the base is no plain Devuan or Debian image.
func Release(s Source) (distribution, codename string) {
	p := parse(s.Dockerfile, linter.New(&linter.Config{}), &report{})
	if p == nil {
		return "", ""
	}
	base := p.baseOfLast()
	i := s.parseImage(base)
	return i.distribution(), i.codename()
}
