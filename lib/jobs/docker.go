package jobs

import (
	"strings"

	"toaster.do/lib/dockerfile"
	"toaster.do/lib/target"
)

// DockerBuild is the command that tests the same sources in a container, for a POSIX shell in the folder of the build context.
// The target may be the zero one, the build arguments K=V a line. Without a context, the Dockerfile alone is sent; name is its path
// in the context, where that is known.
func DockerBuild(t target.Target, buildArgs, name string, context bool) string {
	words := []string{"docker build"}
	if context && name != "" && name != "Dockerfile" {
		words = append(words, "-f "+quote(name))
	}
	if t.Arch != "" {
		words = append(words, "--platform "+dockerfile.Platform(t.Arch))
	}
	for _, line := range itemLines(buildArgs) {
		if line != "" {
			words = append(words, "--build-arg "+quote(line))
		}
	}
	if context {
		return strings.Join(append(words, "."), " ")
	}
	return strings.Join(append(words, "- < Dockerfile"), " ")
}

// quote makes one word of a POSIX shell that means s and nothing else.
func quote(s string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_-./:=@%+,", r)
	}
	if s != "" && strings.TrimFunc(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
