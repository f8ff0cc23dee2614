package buildcontext

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"toaster.do/lib/apperr"
)

func readIgnore(folder, name string) (*patternmatcher.PatternMatcher, error) {
	for _, name := range ignoreFiles(name) {
		text, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		patterns, err := ignorefile.ReadAll(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for i, one := range patterns {
			if _, err := patternmatcher.New([]string{one}); err != nil {
				return nil, apperr.New(apperr.InvalidArgument,
					"%s:%d: invalid pattern %q.",
					"Correct the pattern.", filepath.Join(folder, name), PatternLine(text, i+1), one)
			}
		}
		return patternmatcher.New(patterns)
	}
	return patternmatcher.New(nil)
}

// PatternLine returns the line of a .dockerignore that its nth pattern stands in, both counted from 1.
func PatternLine(text []byte, n int) int {
	for i, line := range bytes.Split(text, []byte("\n")) {
		if patterns, _ := ignorefile.ReadAll(bytes.NewReader(line)); len(patterns) > 0 {
			if n--; n == 0 {
				return i + 1
			}
		}
	}
	return 0
}
