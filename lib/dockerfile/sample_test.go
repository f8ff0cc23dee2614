package dockerfile_test

import (
	"testing"

	"toaster.do/lib/dockerfile"
)

// TestTheSampleIsWithoutAFault on every release that a target may have.
func TestTheSampleIsWithoutAFault(t *testing.T) {
	for _, c := range [][2]string{{"devuan", "daedalus"}, {"devuan", "excalibur"}, {"devuan", "ceres"},
		{"debian", "bookworm"}} {
		text := []byte(dockerfile.Sample(c[0], c[1]))
		if d, name := dockerfile.Release(dockerfile.Source{Dockerfile: text}); d != c[0] || name != c[1] {
			t.Errorf("the sample for %v is made from %s %s", c, d, name)
		}
		steps, findings := dockerfile.Steps(dockerfile.Source{Dockerfile: text, Arch: "amd64", Codename: c[1]})
		if len(steps) == 0 || len(findings) > 0 {
			t.Errorf("%v: %d steps, %v", c, len(steps), findings)
		}
	}
}
