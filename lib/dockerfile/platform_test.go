package dockerfile

import (
	"fmt"
	"strings"
	"testing"
)

// TestPlatforms: a stage of another platform is fetched for it, and the variables are the target's.
func TestPlatforms(t *testing.T) {
	const cross = "FROM --platform=$BUILDPLATFORM golang:1 AS build\nARG TARGETARCH BUILDARCH\n" +
		"ENV A=$TARGETARCH B=$BUILDARCH\nRUN go build\nFROM debian:12\nCOPY --from=build / /\nCMD x\n"
	for _, c := range []struct{ arch, text, images, errors string }{
		{"", cross, "golang:1 linux/amd64", ""},
		{"arm64", cross, "golang:1 linux/amd64", ""},
		{"i386", cross, "golang:1 linux/amd64", ""},
		{"arm64", strings.ReplaceAll(cross, "golang:1", "debian:12"), "debian:12 linux/amd64", ""},
		{"amd64", strings.ReplaceAll(cross, "golang:1", "debian:12"), "", ""},
		{"armhf", "FROM --platform=$TARGETPLATFORM debian:12\nRUN x", "", ""},
		{"armhf", "FROM --platform=arm64 alpine:3 AS a\nFROM a AS b\nRUN x\nFROM debian:12\nCOPY --from=b / /",
			"alpine:3 linux/arm64", ""},
		{"arm64", "FROM --platform=$BUILDPLATFORM debian:12\nRUN x", "", "1 FromPlatform"},
		{"arm64", "FROM --platform=linux/amd64 alpine:3 AS a\nFROM a\nRUN x", "alpine:3 linux/amd64", "1 FromPlatform"},
		{"amd64", "FROM --platform=windows/amd64 x:1 AS a\nFROM debian:12\nCOPY --from=a / /", "x:1 windows/amd64",
			"1 FromPlatform"},
		{"amd64", "FROM --platform=a/b/c/d x:1 AS a\nFROM debian:12\nCOPY --from=a / /", "x:1 a/b/c/d", "1 FromPlatform"},
	} {
		s := Source{Dockerfile: []byte(c.text), Arch: c.arch}
		var named, errors []string
		for _, n := range Images(s) {
			named = append(named, fmt.Sprint(n.Reference, " ", n.Platform))
		}
		blend, findings := Translate(s)
		for _, f := range findings {
			if f.Level == Error {
				errors = append(errors, fmt.Sprint(f.Line, " ", f.Rule))
			}
		}
		if strings.Join(named, ",") != c.images || strings.Join(errors, ",") != c.errors {
			t.Errorf("%s: %s\n%s: %v", c.arch, c.text, named, findings)
		}
		target := strings.Split(Platform(c.arch), "/")[1]
		if c.text == cross && !strings.Contains(string(blend.Text), "\nvariable A "+target+"\nvariable B amd64\n") {
			t.Errorf("%s: other variables", c.arch)
		}
	}
}
