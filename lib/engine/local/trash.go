package local

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// trash is what is to be deleted. Things go in by a rename, so that nobody meets half of them.
type trash struct{ paths []string }

const trashFolder = "@trash"

// add moves path, which is below dir, to the trash. What is not there is no error.
func (t *trash) add(dir, path string) error {
	bin := filepath.Join(dir, trashFolder)
	if err := os.MkdirAll(bin, 0o750); err != nil {
		return err
	}
	into := filepath.Join(bin, rand.Text())
	if err := os.Rename(filepath.Join(dir, path), into); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	t.paths = append(t.paths, into)
	return nil
}

// empty deletes the trash; a runner deletes later what could not be deleted now.
func (t *trash) empty() {
	for _, path := range t.paths {
		os.RemoveAll(path)
	}
}
