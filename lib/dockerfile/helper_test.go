package dockerfile

import (
	"cmp"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"toaster.do/lib/buildcontext"
)

// made is a context of files by their names; "->TARGET" is a symbolic link.
func made(files map[string]string) (*Context, error) {
	memory, m, folders := buildcontext.Memory{}, &buildcontext.Manifest{}, map[string]bool{}
	for name, data := range files {
		for p := path.Dir(name); p != "." && p != "/" && !folders[p]; p = path.Dir(p) {
			folders[p] = true
			m.Entries = append(m.Entries, buildcontext.Entry{Path: p, Type: dir, Mode: 0o755})
		}
		e := buildcontext.Entry{Path: name, Type: file, Mode: 0o644, Size: int64(len(data)), SHA256: memory.Add([]byte(data))}
		if to, ok := strings.CutPrefix(data, "->"); ok {
			e = buildcontext.Entry{Path: name, Type: link, Mode: 0o777, Link: to}
		}
		m.Entries = append(m.Entries, e)
	}
	slices.SortFunc(m.Entries, func(a, b buildcontext.Entry) int { return cmp.Compare(a.Path, b.Path) })
	return NewContext(m, memory), buildcontext.Check(m, buildcontext.Limits{})
}

func mustMake(t testing.TB, files map[string]string) *Context {
	t.Helper()
	c, err := made(files)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// goFiles returns the package's source.
func goFiles(t *testing.T) map[string]string {
	names, _ := filepath.Glob("*.go")
	files := map[string]string{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "_test.go") {
			files[name] = string(text)
		}
	}
	return files
}

// Check returns the findings alone.
func Check(s Source) []Finding {
	_, findings := Steps(s)
	return findings
}
