package buildcontext

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"toaster.do/lib/apperr"
)

var small = ArchiveLimits{Compressed: 1 << 20, Unpacked: 1 << 20, Entries: 100}

// tarOf packs files of x.
func tarOf(headers ...tar.Header) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range headers {
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		w.WriteHeader(&h)
		io.WriteString(w, strings.Repeat("x", int(h.Size)))
	}
	w.Close()
	return out.Bytes()
}

func read(archive []byte, l ArchiveLimits, sink Sink) (*Manifest, error) {
	return ReadArchive(bytes.NewReader(archive), int64(len(archive)), l, sink)
}

// linesOf is an encoded manifest without its first line and SHA-256.
func linesOf(t *testing.T, m *Manifest) string {
	t.Helper()
	var b strings.Builder
	if err := m.Encode(&b); err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(b.String(), "\n")
	for _, e := range m.Entries {
		if e.SHA256 != "" {
			text = strings.ReplaceAll(text, " "+e.SHA256, "")
		}
	}
	return text
}

// TestReadArchive: every kind of archive of the same files is the same manifest, and the sink has the files.
func TestReadArchive(t *testing.T) {
	plain := tarOf(tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o711},
		tar.Header{Name: "./d/", Typeflag: tar.TypeDir, Mode: 0o750},
		tar.Header{Name: "./d/f", Size: 3, Mode: 0o4755, PAXRecords: map[string]string{"SCHILY.xattr.user.a": "\x00=",
			"SCHILY.xattr.security.selinux": "no"}},
		tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/d/f"},
		tar.Header{Name: "a", Typeflag: tar.TypeLink, Linkname: "./d/f"},
		tar.Header{Name: "new/\xff g", Size: 1},
		tar.Header{Name: "p", Typeflag: tar.TypeFifo, Mode: 0o600},
		tar.Header{Name: "null", Typeflag: tar.TypeChar}, tar.Header{Name: "nowhere", Typeflag: tar.TypeSymlink})
	const want = "file 4755 0 a 3 SCHILY.xattr.user.a=%00%3d\ndir 750 0 d\nhard 4755 0 d/f a\n" +
		"link 777 0 l /d/f\ndir 755 0 new\nfile 644 0 new/%ff%20g 1\nother 777 0 nowhere\nother 644 0 null\nfifo 600 0 p\n"
	for name, packed := range map[string][]byte{"tar": plain, "gzip": packed(t, plain, "gzip"),
		"bzip2": packed(t, plain, "bzip2"), "xz": packed(t, plain, "xz"), "zstd": zstdOf(t, plain)} {
		files := Memory{}
		m, err := read(packed, small, files)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := linesOf(t, m); got != want || m.Origin != FromArchive {
			t.Errorf("%s: %s", name, got)
		}
		if err := Check(m, Limits{Bytes: 4, Entries: 9}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(files) != 2 || string(files[m.Entries[0].SHA256]) != "xxx" {
			t.Errorf("%s: %q", name, files)
		}
	}
}

func zstdOf(t testing.TB, data []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(data, nil)
}

// packed is what a program makes of data.
func packed(t testing.TB, data []byte, program ...string) []byte {
	t.Helper()
	cmd := exec.Command(program[0], append(program[1:], "-c")...)
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestReadZip: folders that are not named are there, links are links, and a forge's archive is known by its comment.
func TestReadZip(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, mode := range map[string]os.FileMode{"d/f": 0o755, "d/l": os.ModeSymlink | 0o777} {
		h := &zip.FileHeader{Name: name}
		h.SetMode(mode)
		w, _ := z.CreateHeader(h)
		io.WriteString(w, "f")
	}
	z.SetComment(strings.Repeat("a", 40))
	z.Close()
	m, err := read(b.Bytes(), small, Memory{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Entries {
		m.Entries[i].Time = 0
	}
	if got := linesOf(t, m); got != "dir 755 0 d\nfile 755 0 d/f 1\nlink 777 0 d/l f\n" || m.Origin != FromGit {
		t.Errorf("%q: %s", m.Origin, got)
	}
}

// TestReadArchiveRefuses: what must not come in, and the entry that is named to the person.
func TestReadArchiveRefuses(t *testing.T) {
	many := make([]tar.Header, 101)
	for i := range many {
		many[i] = tar.Header{Name: strings.Repeat("a", i+1)}
	}
	var crowded bytes.Buffer
	z := zip.NewWriter(&crowded)
	for i := range 300 {
		z.Create(fmt.Sprint(i))
	}
	z.Close()
	xattr := func(key, value string) tar.Header {
		return tar.Header{Name: "f", PAXRecords: map[string]string{"SCHILY.xattr." + key: value}}
	}
	for name, c := range map[string]struct {
		archive []byte
		kind    apperr.Kind
		says    string
	}{
		"empty":       {nil, apperr.InvalidArgument, "not a readable archive"},
		"text":        {[]byte("hello, this is a text file\n"), apperr.InvalidArgument, "not a readable archive"},
		"7z":          {[]byte("7z\xbc\xaf\x27\x1c\x00\x04"), apperr.InvalidArgument, "7z"},
		"cut short":   {tarOf(tar.Header{Name: "f", Size: 2000})[:1000], apperr.InvalidArgument, "f"},
		"broken gzip": {packed(t, tarOf(tar.Header{Name: "f", Size: 2000}), "gzip")[:40], apperr.InvalidArgument, ""},
		"broken xz":   {packed(t, tarOf(tar.Header{Name: "f", Size: 2000}), "xz")[:80], apperr.InvalidArgument, ""},
		"a large window of xz": {packed(t, tarOf(tar.Header{Name: "f", Size: 2000}), "xz", "-9"), apperr.InvalidArgument,
			"too much memory"},
		"dots":     {tarOf(tar.Header{Name: "a/../../x"}), apperr.InvalidArgument, "a/../../x"},
		"absolute": {tarOf(tar.Header{Name: "/etc/passwd"}), apperr.InvalidArgument, "/etc/passwd"},
		"two kinds": {tarOf(tar.Header{Name: "x", Typeflag: tar.TypeDir},
			tar.Header{Name: "x", Typeflag: tar.TypeSymlink, Linkname: "y"}), apperr.InvalidArgument, "x"},
		"below a link": {tarOf(tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "d"},
			tar.Header{Name: "l/f"}), apperr.InvalidArgument, "l/f"},
		"below a file":      {tarOf(tar.Header{Name: "l"}, tar.Header{Name: "l/f"}), apperr.InvalidArgument, "l/f"},
		"large attributes":  {tarOf(xattr("user.a", strings.Repeat("x", 70_000))), apperr.InvalidArgument, "64 KiB"},
		"too many":          {tarOf(many...), apperr.TooLarge, "100"},
		"too many in a zip": {crowded.Bytes(), apperr.TooLarge, "100"},
		"too large":         {packed(t, tarOf(tar.Header{Name: "f", Size: 2 << 20}), "gzip"), apperr.TooLarge, "1 MiB"},
		"too large archive": {tarOf(tar.Header{Name: "f", Size: 1<<20 + 1}), apperr.TooLarge, "1024 KiB"},
		"too large all together": {packed(t, tarOf(tar.Header{Name: "f", Size: 700 << 10},
			tar.Header{Name: "g", Size: 700 << 10}), "gzip"), apperr.TooLarge, "1 MiB"},
		"the same again and again": {packed(t, tarOf(tar.Header{Name: "f", Size: 700 << 10},
			tar.Header{Name: "f", Size: 700 << 10}), "gzip"), apperr.TooLarge, "1 MiB"},
	} {
		_, err := read(c.archive, small, Memory{})
		if err == nil {
			t.Errorf("%s: taken", name)
			continue
		}
		if f := apperr.Of(err); f.Kind != c.kind || !strings.Contains(f.Message.String(), c.says) || f.Advice.IsZero() {
			t.Errorf("%s: %s: %q (%s), want %s with %q", name, f.Kind, f.Message, f.Advice, c.kind, c.says)
		}
	}
}

type fullSink struct{ error }

func (s fullSink) Put(r io.Reader, _ int64) (string, int64, error) {
	io.CopyN(io.Discard, r, 1)
	return "", 0, s.error
}

// TestSinkFails: an error of the sink is that, and no fault of the archive.
func TestSinkFails(t *testing.T) {
	full := fullSink{errors.New("the disk is full")}
	if _, err := read(tarOf(tar.Header{Name: "f", Size: 3}), small, full); err != full.error {
		t.Error(err)
	}
}

// hashing keeps nothing.
type hashing struct{ files int }

func (s *hashing) Put(r io.Reader, _ int64) (string, int64, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	s.files++
	return hex.EncodeToString(h.Sum(nil)), n, err
}

// TestReadArchiveStreams reads 300 MiB in one file and 20,000 small ones, with no more memory than the entries take.
func TestReadArchiveStreams(t *testing.T) {
	name := filepath.Join(t.TempDir(), "archive.tar.gz")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, _ := gzip.NewWriterLevel(f, gzip.BestSpeed)
	w := tar.NewWriter(z)
	const size, files = 300 << 20, 20_000
	w.WriteHeader(&tar.Header{Name: "large", Size: size})
	for part := make([]byte, 1<<20); len(part) > 0; {
		if _, err := w.Write(part); err != nil {
			break // it is as long as it shall be
		}
	}
	for i := range files {
		w.WriteHeader(&tar.Header{Name: fmt.Sprint("d/", i%100, "/", i), Size: 5})
		fmt.Fprintf(w, "%5d", i)
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	packed, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	sink := &hashing{}
	m, err := ReadArchive(f, packed, ArchiveLimits{Unpacked: 1 << 30, Entries: 200_000}, sink)
	runtime.ReadMemStats(&after)
	if err != nil || sink.files != files+1 || len(m.Entries) != files+102 {
		t.Fatalf("%v: %d files", err, sink.files)
	}
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 48<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	if err := Check(m, Limits{Bytes: 1 << 30, Entries: 200_000}); err != nil {
		t.Error(err)
	}
}

// FuzzReadArchive: whatever comes in, what is taken passes Check, is within the limits, and all its files are there.
func FuzzReadArchive(f *testing.F) {
	plain := tarOf(tar.Header{Name: "d/", Typeflag: tar.TypeDir}, tar.Header{Name: "d/f", Size: 3},
		tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "d/../d/f"},
		tar.Header{Name: "g", Typeflag: tar.TypeLink, Linkname: "d/f"},
		tar.Header{Name: "x", PAXRecords: map[string]string{"SCHILY.xattr.user.a": "b"}})
	for _, one := range [][]byte{plain, packed(f, plain, "gzip"), packed(f, plain, "xz"), zstdOf(f, plain)} {
		f.Add(one)
	}
	var zipped bytes.Buffer
	z := zip.NewWriter(&zipped)
	z.Create("../x")
	z.Create("a\\b")
	z.Close()
	f.Add(zipped.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		files := Memory{}
		m, err := read(data, ArchiveLimits{Compressed: 1 << 16, Unpacked: 1 << 16, Entries: 50}, files)
		if err != nil {
			if k := apperr.KindOf(err); k != apperr.InvalidArgument && k != apperr.TooLarge {
				t.Fatalf("%s: %v", k, err)
			}
			return
		}
		if err := Check(m, Limits{Bytes: 1 << 16, Entries: 50}); err != nil {
			t.Fatal(err)
		}
		for _, e := range m.Entries {
			if e.SHA256 != "" && int64(len(files[e.SHA256])) != e.Size {
				t.Fatalf("%+v is not there", e)
			}
		}
		var b bytes.Buffer
		if err := m.Encode(&b); err != nil {
			t.Fatal(err)
		}
		if again, err := Decode(&b); err != nil || len(m.Entries) > 0 && !reflect.DeepEqual(again, m) {
			t.Fatalf("%+v is read as %+v: %v", m, again, err)
		}
	})
}
