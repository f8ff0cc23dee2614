package buildcontext

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"toaster.do/lib/apperr"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lines is the manifest without times and checksums.
func lines(m *Manifest) (list string) {
	for _, e := range m.Entries {
		list += fmt.Sprintf("%s %o %s %d", e.Type, e.Mode, e.Path, e.Size)
		if e.Link+e.Hardlink != "" {
			list += " " + e.Link + e.Hardlink
		}
		for key, value := range e.Xattrs {
			list += fmt.Sprintf(" %s=%q", key, value)
		}
		list += "\n"
	}
	return list
}

// TestFolder reads one of every kind of file, by way of a link to the folder.
func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	write(t, filepath.Join(dir, "a/b"), "content")
	write(t, filepath.Join(dir, "a.b"), "")
	write(t, filepath.Join(dir, "odd \n\xff"), "x")
	must(t, os.Chmod(filepath.Join(dir, "a.b"), 0o755|os.ModeSetuid))
	must(t, os.Link(filepath.Join(dir, "a/b"), filepath.Join(dir, "a.c")))
	must(t, os.Symlink("../nowhere", filepath.Join(dir, "link")))
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	must(t, syscall.Mknod(filepath.Join(dir, "null"), syscall.S_IFCHR|0o666, 1<<8|3))
	socket, err := net.Listen("unix", filepath.Join(dir, "socket"))
	must(t, err)
	defer socket.Close()
	for _, name := range []string{"user.kept", "trusted.dropped"} {
		must(t, syscall.Setxattr(filepath.Join(dir, "a/b"), name, []byte("1\x00"), 0))
	}
	through := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(dir, through))
	tree, err := Folder(through, "", Limits{})
	must(t, err)
	want := "dir 755 a 0\nfile 4755 a.b 0\nfile 644 a.c 7 SCHILY.xattr.user.kept=\"1\\x00\"\nfile 644 a/b 0 a.c\n" +
		"link 777 link 0 ../nowhere\nother 644 null 0\nfile 644 odd \n\xff 1\nfifo 600 pipe 0\nfile 755 socket 0\n"
	if got := lines(&tree.Manifest); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, e := range tree.Entries {
		if e.Type != File || e.Hardlink != "" {
			continue
		}
		f, err := tree.Open(e.SHA256)
		must(t, err)
		text, err := io.ReadAll(f)
		f.Close()
		if err != nil || sumOf(text) != e.SHA256 {
			t.Errorf("%s: %v, %q", e.Path, err, text)
		}
	}
	var b bytes.Buffer
	must(t, tree.Encode(&b))
	if again, err := Decode(&b); err != nil || again.Digest() != tree.Digest() {
		t.Errorf("%v", err)
	}
}

// TestFolderHasSeconds: nanoseconds make no other context.
func TestFolderHasSeconds(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "f"), "x")
	var digests [2]string
	for i := range digests {
		must(t, os.Chtimes(file, time.Time{}, time.Unix(1_600_000_000, int64(i)*999_000_000)))
		tree, err := Folder(dir, "", Limits{})
		must(t, err)
		digests[i] = tree.Digest()
	}
	if digests[0] != digests[1] {
		t.Error("a part of a second makes another context")
	}
}

func TestFolderOverALimitNamesTheLargestFiles(t *testing.T) {
	dir := t.TempDir()
	for i := range 7 {
		write(t, filepath.Join(dir, fmt.Sprint("f", i)), strings.Repeat("x", 1+i*1000))
	}
	_, err := Folder(dir, "", Limits{Bytes: 20000})
	if want := "20.5 KiB of at most 19.5 KiB. Largest files: f6 (5.9 KiB), f5 (4.9 KiB), f4 (3.9 KiB), f3 (2.9 KiB), " +
		"f2 (2.0 KiB)."; apperr.KindOf(err) != apperr.TooLarge || !strings.Contains(err.Error(), want) {
		t.Errorf("%v has not %q", err, want)
	}
	if _, err := Folder(dir, "", Limits{Entries: 6}); apperr.KindOf(err) != apperr.TooLarge {
		t.Errorf("7 entries of 6: %v", err)
	}
	if _, err := Folder(dir, "", Limits{Bytes: 21007, Entries: 7}); err != nil {
		t.Error(err)
	}
	if _, err := Folder(filepath.Join(dir, "f1"), "", Limits{}); err == nil {
		t.Error("a file is a folder")
	}
}

type memory map[string]string

func (m memory) key(path string, s Stamp) string      { return fmt.Sprint(path, s) }
func (m memory) Get(path string, s Stamp) string      { return m[m.key(path, s)] }
func (m memory) Put(path string, s Stamp, sum string) { m[m.key(path, s)] = sum }
func (m memory) sum(t *testing.T, dir string) (sums string) {
	t.Helper()
	tree, err := Scan(t.Context(), dir, "")
	must(t, err)
	must(t, tree.Sum(t.Context(), m))
	return tree.Digest()
}

// TestACacheIsAskedByStamp: what is written within the clock's reach of being read is not kept.
func TestACacheIsAskedByStamp(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "f"), "one")
	m := memory{}
	first := m.sum(t, dir)
	if len(m) != 0 {
		t.Errorf("a file that was just written is kept: %v", m)
	}
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	now, err := stampFile(f)
	must(t, err)
	m.Put(file, now, sumOf([]byte("two")))
	if m.sum(t, dir) == first {
		t.Error("the cache was not asked")
	}
	write(t, file, "three")
	if kept := m.sum(t, dir); kept == first {
		t.Error("a file of another size has the checksum of before")
	}
	old := Stamp{Modified: 5e9, Changed: 6e9}
	if old.settled(time.Unix(7, 0)) || !old.settled(time.Unix(9, 0)) {
		t.Error("a stamp is settled two seconds after the change")
	}
}
