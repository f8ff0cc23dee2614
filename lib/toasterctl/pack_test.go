package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"toaster.do/lib/dockerfile"
	"toaster.do/lib/fault"
)

func TestPackLeavesOutWhatIsIgnored(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, ".dockerignore"), "# ours\n.git\n*.log\nsub/*\n!sub/keep\n.dockerignore\n")
	for _, name := range []string{".git/config", "a", "b.log", "sub/drop", "sub/keep", "sub/deep/b.log"} {
		write(t, filepath.Join(dir, name), name)
	}
	if err := os.Symlink("a", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	archive, err := pack(dir, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	c, err := dockerfile.ReadContext(archive, dockerfile.Limits{})
	want := []string{".dockerignore", "a", "link", "sub", "sub/keep"}
	if err != nil || !slices.Equal(c.Paths(), want) {
		t.Errorf("%v: packed %q, not %q", err, c.Paths(), want)
	}
}

func TestPackGivesTheSameBytes(t *testing.T) {
	var archives [2][]byte
	for i := range archives {
		dir := t.TempDir()
		for _, name := range []string{"b", "a", "c/d"} {
			path := write(t, filepath.Join(dir, name), name)
			if err := os.Chtimes(path, time.Time{}, time.Unix(1_600_000_000, int64(i)*999_000_000)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chtimes(filepath.Join(dir, "c"), time.Time{}, time.Unix(1_600_000_000, 0)); err != nil {
			t.Fatal(err)
		}
		var err error
		if archives[i], err = pack(dir, 1<<20); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("equal folders give different archives")
	}
}

func TestPackHasALimit(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a"), "12345678")
	if _, err := pack(dir, 8); err != nil {
		t.Error(err)
	}
	if _, err := pack(dir, 7); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("8 bytes in a context of 7: %v", err)
	}
}
