package dockerfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
