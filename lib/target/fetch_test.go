package target

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// The SDK is fetched at its pinned commit, once for all builds that share a cache, also when two begin together.
func TestFetchedSDK(t *testing.T) {
	canImage(t)
	fakeDebootstrap(t)
	repository := miniSDK(t, "live", "new")
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", repository, "-c", "user.name=x", "-c", "user.email=x@example.org"},
			args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q")
	git("add", ".")
	git("commit", "-qm", "the one that is wanted")
	commit := git("rev-parse", "HEAD")
	git("rm", "-q", "sdk")
	git("commit", "-qm", "a later one")

	cache := t.TempDir()
	build := func() *run {
		r := sdkRecipe(t, "live", page)
		r.Target.Source, r.Target.Commit = repository, commit
		b := image(t, "", r)
		b.env = []string{"TOASTER_CACHE_DIR=" + cache}
		b.start(t)
		return b
	}
	var wait sync.WaitGroup
	two := []*run{build(), build()}
	for _, b := range two {
		wait.Go(b.end)
	}
	wait.Wait()
	if err := os.RemoveAll(repository); err != nil {
		t.Fatal(err)
	}
	later := build()
	later.end()
	for _, b := range append(two, later) {
		b.wants(t, 0, "toaster: done: dist/live_amd64_daedalus.iso")
		b.isClean(t)
		if t.Failed() {
			return
		}
		var p struct {
			Source string `json:"sdk_source"`
			Commit string `json:"sdk_commit"`
		}
		if err := json.Unmarshal(b.file(t, "provenance.json"), &p); err != nil || p.Source != repository ||
			p.Commit != commit {
			t.Errorf("%v: %+v", err, p)
		}
	}
	if strings.Contains(later.log.String(), "fetching") {
		t.Error("what the cache has was fetched again")
	}
	if parts, _ := filepath.Glob(filepath.Join(cache, "part.*")); len(parts) > 0 {
		t.Errorf("%v stays", parts)
	}
}
