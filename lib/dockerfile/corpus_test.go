package dockerfile

import (
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"testing"
)

// TestCorpus translates real Dockerfiles from the folder $TOASTER_DOCKERFILES and counts what becomes of them.
// As their build contexts are not there, a context that has every source they name is made up.
func TestCorpus(t *testing.T) {
	folder := os.Getenv("TOASTER_DOCKERFILES")
	if folder == "" {
		t.Log("TOASTER_DOCKERFILES names no folder of Dockerfiles")
		return
	}
	translated, refused, why := 0, 0, map[string]int{}
	filepath.WalkDir(folder, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		b, findings := translateWithSources(t, text)
		if b != nil {
			translated++
			return nil
		}
		refused++
		for _, f := range findings {
			if f.Level == Error {
				why[f.Rule]++
				t.Logf("%s:%d: %s: %s", d.Name(), f.Line, f.Rule, f.Message)
				if f.Rule == "Internal" || f.Advice == "" {
					t.Errorf("%s:%d: %s: %s", d.Name(), f.Line, f.Rule, f.Message)
				}
				break
			}
		}
		return nil
	})
	t.Logf("%d translated, %d refused", translated, refused)
	rules := make([]string, 0, len(why))
	for r := range why {
		rules = append(rules, r)
	}
	sort.Strings(rules)
	for _, r := range rules {
		t.Logf("  %4d %s", why[r], r)
	}
}

// translateWithSources translates with a context that grows by what is missing.
func translateWithSources(t *testing.T, text []byte) (*Blend, []Finding) {
	c := newContext()
	for range 200 {
		c.names, c.sum = nil, ""
		c.finish()
		b, findings := Translate(Source{Dockerfile: text, Context: c})
		grown := false
		for _, f := range findings {
			if f.Rule != "MissingSource" || f.Level != Error {
				continue
			}
			if m := lazy(`: "(.*)" is not in`)().FindStringSubmatch(f.Message); m != nil {
				name := filepath.Join("/", m[1])[1:]
				before := len(c.entries)
				c.add(name, &entry{kind: file, mode: 0o644}, Limits{})
				grown = grown || len(c.entries) > before
			}
		}
		if !grown {
			return b, findings
		}
	}
	return Translate(Source{Dockerfile: text, Context: c})
}
