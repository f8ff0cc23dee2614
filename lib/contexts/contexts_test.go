package contexts

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/buildcontext"
)

func sum(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// contextOf is the manifest of files: paths and contents in turn, by path.
func contextOf(files ...string) *buildcontext.Manifest {
	m := &buildcontext.Manifest{}
	for i := 0; i < len(files); i += 2 {
		m.Entries = append(m.Entries, buildcontext.Entry{Path: files[i], Type: buildcontext.File, Mode: 0o644,
			Size: int64(len(files[i+1])), SHA256: sum(files[i+1])})
	}
	return m
}

func newStore(t *testing.T) *Store {
	return &Store{Dir: filepath.Join(t.TempDir(), "contexts"), Limits: buildcontext.Limits{Bytes: 1 << 30, Entries: 1000}}
}

// left lists the files below the folder.
func (s *Store) left(t *testing.T) (all []string) {
	t.Helper()
	err := filepath.WalkDir(s.Dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			path, err = filepath.Rel(s.Dir, path)
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Sixty-four clients of four users send the same files at once, declare, complete and read them, while all is swept.
func TestManyAtOnce(t *testing.T) {
	s := newStore(t)
	var files []string
	for i := range 40 {
		files = append(files, fmt.Sprintf("f%02d", i), strings.Repeat(fmt.Sprint(i), 1000))
	}
	m := contextOf(files...)
	needed := map[int64]map[string]bool{0: {}, 1: {}, 2: {}, 3: {}}
	stop := make(chan struct{})
	var sweeper, clients sync.WaitGroup
	sweeper.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if err := s.Sweep(t.Context(), needed, time.Now()); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for i := range 64 {
		clients.Go(func() {
			owner := int64(i % 4)
			digest, missing, err := s.Declare(owner, m)
			for _, one := range missing {
				text := ""
				for j := 1; j < len(files); j += 2 {
					if sum(files[j]) == one {
						text = files[j]
					}
				}
				_, _, putErr := s.Put(owner, one, strings.NewReader(text), 0, -1)
				err = errors.Join(err, putErr)
			}
			if err := errors.Join(err, s.Complete(owner, digest)); err != nil {
				t.Error(err)
				return
			}
			got, opener, err := s.Get(owner, digest)
			if err != nil || got.Digest() != digest {
				t.Error(err)
				return
			}
			f, err := opener.Open(sum(files[1]))
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			if text, err := io.ReadAll(f); err != nil || string(text) != files[1] {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
	clients.Wait()
	close(stop)
	sweeper.Wait()
	for _, path := range s.left(t) {
		if strings.Contains(path, "/tmp/") || strings.Contains(path, "/parts/") {
			t.Error("something is left: ", path)
		}
	}
}

// smallDisk is a folder on a disk of 2 MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=2m", "toaster-test", dir).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no small disk: %v\n%s", err, out)
		}
		t.Skipf("this test mounts a small disk, as root: %v\n%s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", "-l", dir).Run() })
	return dir
}

// A disk that is full in the middle is said so, and what was begun is gone.
func TestAFullDisk(t *testing.T) {
	s := newStore(t)
	s.Dir = smallDisk(t)
	large := strings.Repeat("x", 3<<20)
	_, _, err := s.Declare(1, contextOf("a", "small", "large", large))
	if apperr.KindOf(err) != apperr.StorageFull {
		t.Errorf("before: %v", err)
	}
	s.FreeDisk = -1 << 40 // it is not looked at before: another one takes the space meanwhile
	digest, _, err := s.Declare(1, contextOf("a", "small", "large", large))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Put(1, sum("small"), strings.NewReader("small"), 0, -1); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Put(1, sum(large), strings.NewReader(large), 0, -1); apperr.KindOf(err) != apperr.StorageFull {
		t.Errorf("in the middle: %v", err)
	}
	var archive bytes.Buffer
	m := contextOf("other", strings.Repeat("y", 3<<20))
	if err := m.WriteTree(&archive, memory{m.Entries[0].SHA256: strings.Repeat("y", 3<<20)}); err != nil {
		t.Fatal(err)
	}
	_, err = s.AddArchive(1, bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	if apperr.KindOf(err) != apperr.StorageFull {
		t.Errorf("an archive: %v", err)
	}
	if err := s.Complete(1, digest); apperr.Of(err).Code != "context_incomplete" {
		t.Errorf("afterwards: %v", err)
	}
	for _, path := range s.left(t) {
		if strings.Contains(path, "/tmp/") || strings.Contains(path, "/parts/") {
			t.Error("something is left: ", path)
		}
	}
	if _, _, err := s.Put(1, sum("small"), strings.NewReader("small"), 0, -1); err != nil {
		t.Errorf("what came before is gone: %v", err)
	}
}

// A wrong file in an archive is refused, whatever its place, and does no harm to the right one.
func TestAWrongFileDoesNoHarm(t *testing.T) {
	s := newStore(t)
	old := contextOf("version", "1.2.3")
	if _, err := s.Add(1, old, memory{sum("1.2.3"): "1.2.3"}); err != nil {
		t.Fatal(err)
	}
	var files []string
	for i := range flushFiles - 1 {
		files = append(files, fmt.Sprintf("f%03d", i), fmt.Sprint(i))
	}
	files = append(files, "version", "1.2.4")
	if _, _, err := s.Declare(1, contextOf(files...)); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for i := 1; i < len(files); i += 2 {
		text := files[i]
		if text == "1.2.4" { // it was changed back meanwhile
			text = "1.2.3"
		}
		if err := w.WriteHeader(&tar.Header{Name: sum(files[i]), Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	if n, err := s.PutMany(1, &archive); n != flushFiles-1 || apperr.Of(err).Code != "blob_digest" {
		t.Errorf("%d files, %v", n, err)
	}
	if text, err := os.ReadFile(s.Blob(1, sum("1.2.3"))); string(text) != "1.2.3" {
		t.Errorf("%q, %v", text, err)
	}
}

// The quota holds for what was declared and has not come, for parts, and for archives.
func TestTheQuotaHolds(t *testing.T) {
	s := newStore(t)
	s.PerUser = 100_000
	first, second := strings.Repeat("a", 60_000), strings.Repeat("b", 60_000)
	if _, _, err := s.Declare(1, contextOf("a", first)); err != nil {
		t.Fatal(err)
	}
	full := func(what string, err error) {
		t.Helper()
		if apperr.Of(err).Code != "context_quota" {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, _, err := s.Declare(1, contextOf("b", second))
	full("beside one that waits", err)
	if _, _, err := s.Declare(1, contextOf("a", first, "c", "small")); err != nil {
		t.Errorf("what is the same counts once: %v", err)
	}
	if whole, have, err := s.Put(1, sum(first), strings.NewReader(first[:50_000]), 0, 60_000); whole || have != 50_000 {
		t.Error(whole, have, err)
	}
	for _, one := range s.left(t) {
		if strings.Contains(one, "pending/") {
			os.Remove(filepath.Join(s.Dir, one))
		}
	}
	_, _, err = s.Declare(1, contextOf("b", second))
	full("beside a part", err)
	var archive bytes.Buffer
	m := contextOf("b", second)
	if err := m.WriteTree(&archive, memory{sum(second): second}); err != nil {
		t.Fatal(err)
	}
	_, err = s.AddArchive(1, bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	full("an archive", err)
}

// Uploads that go on don't push each other out.
func TestManyUploads(t *testing.T) {
	s := newStore(t)
	var last error
	n := 0
	for ; n < 2*maxPending && last == nil; n++ {
		_, _, last = s.Declare(1, contextOf("a", fmt.Sprint(n)))
	}
	if n != maxPending+1 || apperr.Of(last).Code != "too_many_uploads" {
		t.Errorf("after %d: %v", n, last)
	}
	if _, _, err := s.Declare(1, contextOf("a", "7")); err != nil {
		t.Errorf("one of them again: %v", err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(s.folder(1), "pending", contextOf("a", "8").Digest()), old, old); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Declare(1, contextOf("a", "new")); err != nil {
		t.Errorf("in the place of one that was given up: %v", err)
	}
	if _, _, err := s.Put(1, sum("8"), strings.NewReader("8"), 0, -1); apperr.Of(err).Code != "blob_not_missing" {
		t.Errorf("of that: %v", err)
	}
}

// A path or a link can look like a file's SHA-256: OCI images in a context do.
func TestPathsThatLookLikeDigests(t *testing.T) {
	s := newStore(t)
	m := contextOf(sum("layer"), "layer")
	m.Entries[0].Time = 1_700_000_000
	m.Entries = append([]buildcontext.Entry{{Path: "0", Type: buildcontext.Link, Mode: 0o777, Link: sum("layer")}},
		m.Entries...)
	if _, _, err := s.Declare(1, m); err != nil {
		t.Fatal(err)
	}
	if whole, _, err := s.Put(1, sum("layer"), strings.NewReader("layer"), 0, 5); !whole || err != nil {
		t.Errorf("%v, %v", whole, err)
	}
}

// Deep paths alone don't become more folders than a context may have.
func TestDeepPaths(t *testing.T) {
	for name, path := range map[string]string{"long": strings.Repeat("a/", 1<<18) + "a", "deep": strings.Repeat("a/", 2000) + "a"} {
		_, err := ReadJSON(strings.NewReader(`{"entries":[{"path":"`+path+`","type":"fifo"}]}`), newStore(t).Limits, nil)
		if kind := apperr.KindOf(err); kind != apperr.InvalidArgument && kind != apperr.TooLarge {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// memory is a source of files.
type memory map[string]string

func (m memory) Open(sum string) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(m[sum])), nil
}

// A blob that a loss of power has cut is sent again.
func TestADamagedFileIsSentAgain(t *testing.T) {
	s := newStore(t)
	m := contextOf("a", "contents")
	digest, err := s.Add(1, m, memory{sum("contents"): "contents"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(s.Blob(1, sum("contents")), 3); err != nil {
		t.Fatal(err)
	}
	if err := s.Complete(1, digest); apperr.Of(err).Code != "context_incomplete" {
		t.Error(err)
	}
	again, err := s.Add(1, m, memory{sum("contents"): "contents"})
	if text, readErr := os.ReadFile(s.Blob(1, sum("contents"))); again != digest || err != nil || string(text) != "contents" {
		t.Errorf("%s, %q, %v, %v", again, text, err, readErr)
	}
	path := filepath.Join(s.folder(1), "manifests", digest)
	if err := os.WriteFile(path, []byte("toaster-context 1\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Get(1, digest); apperr.KindOf(err) != apperr.Internal {
		t.Errorf("a manifest that is another one: %v", err)
	}
}

// What is sent as JSON is read in any order, with what it leaves out.
func TestReadJSON(t *testing.T) {
	m, err := ReadJSON(strings.NewReader(`{"entries":[
		{"path":"./src/b/c","type":"file","size":1,"sha256":"`+sum("x")+`","mode":"0755","xattrs":{"user.a":"AQI="}},
		{"path64":"/w==","type":"link","link64":"/g=="},
		{"path":"a","type":"dir","mode":448}, {"path":".","type":"dir"}]}`), buildcontext.Limits{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := m.Encode(&b); err != nil {
		t.Fatal(err)
	}
	want := "toaster-context 1\ndir 755 0 .\ndir 700 0 a\ndir 755 0 src\ndir 755 0 src/b\nfile 755 0 src/b/c 1 " + sum("x") +
		" SCHILY.xattr.user.a=%01%02\nlink 777 0 %ff %fe\n"
	if b.String() != want {
		t.Errorf("%q\nis not\n%q", b.String(), want)
	}
}

// What is changed in a context is enough to tell another one.
func TestReadJSONOfChanges(t *testing.T) {
	s := newStore(t)
	read := func(text string) (*buildcontext.Manifest, error) {
		return ReadJSON(strings.NewReader(text), buildcontext.Limits{}, func(digest string) (*buildcontext.Manifest, error) {
			m, _, err := s.Get(1, digest)
			return m, err
		})
	}
	paths := func(m *buildcontext.Manifest) (list string) {
		for _, e := range m.Entries {
			list += e.Path + string(e.Type[0]) + " "
		}
		return list
	}
	first, err := read(`{"entries":[{"path":"a","type":"fifo"},{"path":"b/c","type":"fifo"},{"path":"d","type":"fifo"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	digest, _, err := s.Declare(1, first)
	if err != nil {
		t.Fatal(err)
	}
	second, err := read(`{"base":"sha256:` + digest + `","entries":[{"path":"d","type":"dir"},{"path":"a","type":"gone"},
		{"path":"b/e","type":"fifo"},{"path":"none","type":"gone"}]}`)
	if err != nil || paths(second) != "bd b/cf b/ef dd " {
		t.Errorf("%v: %s", err, paths(second))
	}
	if _, err := read(`{"base":"sha256:` + sum("x") + `","entries":[]}`); apperr.KindOf(err) != apperr.NotFound {
		t.Errorf("changes of nothing: %v", err)
	}
	if _, err := read(`{"base":1,"entries":[]}`); apperr.KindOf(err) != apperr.InvalidArgument {
		t.Errorf("changes of 1: %v", err)
	}
}

// FuzzReadJSON: whatever is sent is a manifest that Check has an opinion of, or refused with a reason.
func FuzzReadJSON(f *testing.F) {
	f.Add([]byte(`{"entries":[{"path":"a","type":"file","size":1,"sha256":"` + sum("x") + `"}]}`))
	f.Add([]byte(`{"entries":[{"path64":"/w==","type":"link","link":"b","mode":"0777"},{"path":"d/e/f","type":"dir"}]}`))
	f.Add([]byte(`{"base":"sha256:","entries":[{"path":"a","type":"gone"},{"path":"b/c","type":"gone"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		l := buildcontext.Limits{Bytes: 1 << 20, Entries: 100}
		m, err := ReadJSON(bytes.NewReader(text), l, func(string) (*buildcontext.Manifest, error) {
			return &buildcontext.Manifest{Entries: []buildcontext.Entry{{Path: "a", Type: buildcontext.Fifo},
				{Path: "b", Type: buildcontext.Dir}, {Path: "b/c", Type: buildcontext.Fifo}}}, nil
		})
		if err == nil {
			if err = buildcontext.Check(m, l); err == nil {
				s := newStore(t)
				digest, missing, err := s.Declare(1, m)
				if err != nil || !buildcontext.IsSHA256(digest) || len(missing) > len(m.Entries) {
					t.Errorf("%q: %s, %v", text, digest, err)
				}
			}
		}
		if kind := apperr.KindOf(err); err != nil && kind != apperr.InvalidArgument && kind != apperr.TooLarge {
			t.Errorf("%q: %v", text, err)
		}
	})
}
