package jobs

import (
	"strings"

	"toaster.do/lib/dockerfile"
	"toaster.do/lib/shell"
	"toaster.do/lib/target"
)

// DockerBuild is the command that tests the same sources in a container, for a POSIX shell in the folder of the build
// context.
// The target may be the zero one, the build arguments K=V a line. Without a context, the Dockerfile alone is sent; name
// is its path in the context, where that is known. Secrets are in files of their names.
func DockerBuild(t target.Target, buildArgs, name string, context bool, secrets []dockerfile.Secret) string {
	words := []string{"docker build"}
	if context && name != "" && name != "Dockerfile" {
		words = append(words, "-f "+shell.Quote(name))
	}
	if t.Arch != "" {
		words = append(words, "--platform "+dockerfile.Platform(t.Arch))
	}
	for _, line := range itemLines(buildArgs) {
		if line != "" {
			words = append(words, "--build-arg "+shell.Quote(line))
		}
	}
	for _, one := range secrets {
		if one.IsSSHKey() {
			words = append(words, "--ssh "+strings.TrimPrefix(one.Name, "ssh."))
			continue
		}
		words = append(words, "--secret id="+one.Name+",src="+one.Name)
	}
	if context {
		return strings.Join(append(words, "."), " ")
	}
	return strings.Join(append(words, "- < Dockerfile"), " ")
}
