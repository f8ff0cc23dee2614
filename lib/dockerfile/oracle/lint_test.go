// Package oracle compares our findings with BuildKit's own linter. It is a module of its own, as that one needs fifty
// others.
package oracle

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/solver/pb"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"toaster.do/lib/dockerfile"
)

// offline answers for every image, so that no registry is asked.
type offline struct{}

func (offline) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte,
	error) {
	config, err := json.Marshal(dockerspec.DockerOCIImage{Image: ocispecs.Image{Platform: ocispecs.Platform{OS: "linux",
		Architecture: "amd64"}}})
	return ref, "", config, err
}

// TestLint: BuildKit's rules, at BuildKit's lines, no more and no fewer, over the Dockerfiles of the differential
// suite, those in testdata, and those in the folder $TOASTER_DOCKERFILES.
func TestLint(t *testing.T) {
	for name, text := range corpus(t) {
		t.Run(name, func(t *testing.T) {
			want, broken := buildkit(t, text)
			got, refused := ours(text)
			if broken != "" {
				if !refused {
					t.Errorf("BuildKit refuses it (%s), we do not\n%s", broken, text)
				}
				return // it stops at the first error, we go on
			}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("findings differ\nBuildKit:\n  %s\nours:\n  %s\n%s", strings.Join(want, "\n  "), strings.Join(got, "\n  "),
					text)
			}
		})
	}
}

func buildkit(t *testing.T, text string) (findings []string, broken string) {
	source := llb.NewSourceMap(nil, "Dockerfile", "dockerfile", []byte(text))
	source.Definition = &llb.Definition{}
	caps := pb.Caps.CapSet(pb.Caps.All())
	r, err := dockerfile2llb.DockerfileLint(context.Background(), []byte(text), dockerfile2llb.ConvertOpt{
		MetaResolver: offline{}, SourceMap: source, LLBCaps: &caps,
		TargetPlatform: &ocispecs.Platform{OS: "linux", Architecture: "amd64"}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Error != nil {
		return nil, r.Error.Message
	}
	for _, w := range r.Warnings {
		line := 0
		if w.Location != nil && len(w.Location.Ranges) > 0 {
			line = int(w.Location.Ranges[0].Start.Line)
		}
		findings = append(findings, fmt.Sprintf("%d %s %s %s", line, w.RuleName, w.URL, w.Detail))
	}
	return unique(findings), ""
}

func ours(text string) (findings []string, refused bool) {
	theirs := map[string]bool{}
	for _, r := range dockerfile.Rules() {
		theirs[r.Name] = strings.Contains(r.URL, "docs.docker.com/go/dockerfile/rule/")
	}
	_, said := dockerfile.Steps(dockerfile.Source{Dockerfile: []byte(text)})
	for _, f := range said {
		refused = refused || f.Level == dockerfile.Error
		if theirs[f.Rule] {
			findings = append(findings, fmt.Sprintf("%d %s %s %s", f.Line, f.Rule, f.URL,
				strings.TrimSuffix(f.Message.String(), ".")))
		}
	}
	return unique(findings), refused
}

func unique(list []string) (out []string) {
	sort.Strings(list)
	for i, s := range list {
		s = strings.TrimSuffix(s, ".")
		if i == 0 || len(out) == 0 || s != out[len(out)-1] {
			out = append(out, s)
		}
	}
	return out
}

func corpus(t *testing.T) map[string]string {
	all := map[string]string{}
	cases, _ := filepath.Glob("../difftest/testdata/*.txt")
	cases = append(cases, "testdata/lint.txt")
	for _, name := range cases {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split("\n"+string(text), "\n=== ")[1:] {
			head, rest, _ := strings.Cut(part, "\n")
			_, body, ok := strings.Cut("\n"+rest, "\n--- Dockerfile")
			if !ok {
				continue
			}
			body, _, _ = strings.Cut(body, "\n--- ")
			_, body, _ = strings.Cut(body, "\n")
			all[strings.TrimSpace(head)] = strings.TrimRight(body, "\n") + "\n"
		}
	}
	if dir := os.Getenv("TOASTER_DOCKERFILES"); dir != "" {
		filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				text, _ := os.ReadFile(p)
				all[p] = string(text)
			}
			return nil
		})
	}
	if len(all) < 100 {
		t.Fatalf("only %d Dockerfiles", len(all))
	}
	return all
}
