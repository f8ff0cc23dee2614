// Command generate compiles every page in every language into a folder: LANGUAGE/NAME.
package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"toaster.do/lib/view"
	"toaster.do/templates"
)

func main() {
	if err := generate(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func generate(dir string) error {
	names, err := fs.Glob(templates.Files, "*.ace")
	if err != nil {
		return err
	}
	for _, lang := range view.Languages {
		if err := os.MkdirAll(filepath.Join(dir, lang), 0o755); err != nil {
			return err
		}
		for _, file := range names {
			name := strings.TrimSuffix(file, ".ace")
			if name == "layout" || name[0] == '_' {
				continue
			}
			compiled, err := view.Compile(lang, name)
			if err != nil {
				return err
			}
			if err := replace(filepath.Join(dir, lang, name), compiled); err != nil {
				return err
			}
		}
	}
	return nil
}

// replace writes a file if it isn't the same already, at once: another build may be reading it.
func replace(path string, content []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(filepath.Dir(path)), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
