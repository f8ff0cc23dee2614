package jobs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/target"
)

// A target's own time limit goes before the engine's.
func TestATargetsTimeLimit(t *testing.T) {
	h := newFixture(t)
	text, err := os.ReadFile("../../conf/targets.toml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "targets.toml")
	changed := strings.Replace(string(text), "\nsdk = \"vm\"\nrelease = [\"daedalus\"]\n",
		"\nsdk = \"vm\"\ntime_limit = \"5h\"\nrelease = [\"daedalus\"]\n", 1)
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	h.Targets = func() (*target.Targets, error) { return target.LoadTargets(path) }
	for name, want := range map[string]time.Duration{rootfs: h.Limits.TimeLimit, "vm_amd64_daedalus": 5 * time.Hour} {
		job, err := h.Add(t.Context(), h.ann, Submission{Target: name, Dockerfile: []byte("FROM devuan/devuan:daedalus\n")})
		if err != nil {
			t.Fatal(err)
		}
		if got := h.fake.jobs[job.EngineName].limit; got != want {
			t.Errorf("%s: the engine was told %v, not %v", name, got, want)
		}
	}
}
