// Command generate turns the templates into Go source, for the packages that declare them as a
// view.Template:
//
//	generate [-tests] FOLDER
//
// The files go to FOLDER, with an overlay.json that “go build -overlay” reads: it puts them into
// their packages. With -tests, each package also gets a test that compares its pages with those of
// html/template.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// patterns are the packages that may declare templates.
var patterns = []string{"toaster.do/cgi-bin/...", "toaster.do/lib/web"}

func main() {
	tests := flag.Bool("tests", false, "generate tests, too")
	flag.Parse()
	if err := generate(flag.Arg(0), *tests); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func generate(dir string, tests bool) error {
	packages, err := load(patterns...)
	if err != nil {
		return err
	}
	if err := checkComplete(packages); err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	replaced := map[string]string{}
	for _, p := range packages {
		files, err := p.generate(tests)
		if err != nil {
			return err
		}
		for name, content := range files {
			to := filepath.Join(dir, fileName(p.path, name))
			replaced[filepath.Join(p.dir, name)] = to
			if err := writeFile(to, content); err != nil {
				return err
			}
		}
	}
	overlay, err := json.MarshalIndent(map[string]any{"Replace": replaced}, "", "\t")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, "overlay.json"), overlay)
}

// fileName is a package's file in the folder. The go command ignores names that begin with an
// underscore, so that the folder is no package of its own.
func fileName(pkg, file string) string {
	return "_" + strings.ReplaceAll(strings.TrimPrefix(pkg, "toaster.do/"), "/", "_") + "_" + file
}

// writeFile writes a file at once, and only when its content differs: another build may read it.
func writeFile(path string, content []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
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
