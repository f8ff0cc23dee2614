package jobs

import (
	"testing"

	"toaster.do/lib/dockerfile"
	"toaster.do/lib/target"
)

func TestTheCommandThatTestsTheSameFile(t *testing.T) {
	for _, c := range []struct {
		arch, args, name string
		context          bool
		want             string
	}{
		{"", "", "", false, "docker build - < Dockerfile"},
		{"amd64", "", "", true, "docker build --platform linux/amd64 ."},
		{"armhf", "A=b\r\n\nV=1.2\n", "", true, "docker build --platform linux/arm/v7 --build-arg A=b --build-arg V=1.2 ."},
		{"", "A=\n   \nB=\ttab\nC=\"q\"", "", true,
			"docker build --build-arg A= --build-arg 'B=\ttab' --build-arg 'C=\"q\"' ."},
		{"", "", "Dockerfile", true, "docker build ."},
		{"", "A=1", "docker/my file", true, "docker build -f 'docker/my file' --build-arg A=1 ."},
		{"i386", "G=hello world\nX=it's $(x)", "", false,
			`docker build --platform linux/386 --build-arg 'G=hello world' --build-arg 'X=it'\''s $(x)' - < Dockerfile`},
	} {
		if got := DockerBuild(target.Target{Arch: c.arch}, c.args, c.name, c.context, nil); got != c.want {
			t.Errorf("%s\nwant %s", got, c.want)
		}
	}
	secrets := []dockerfile.Secret{{Name: "npmrc", Required: true}, {Name: "ssh.default"}}
	const want = "docker build --secret id=npmrc,src=npmrc --ssh default ."
	if got := DockerBuild(target.Target{}, "", "", true, secrets); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
