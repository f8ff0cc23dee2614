package dockerfile

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"toaster.do/lib/fault"
)

var roomy = Limits{Compressed: 1 << 20, Unpacked: 1 << 20, Entries: 100}

func tarOf(headers ...tar.Header) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range headers {
		body := strings.Repeat("x", int(h.Size))
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		w.WriteHeader(&h)
		w.Write([]byte(body))
	}
	w.Close()
	return out.Bytes()
}

func gzipOf(data []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(data)
	w.Close()
	return out.Bytes()
}

func TestReadContext(t *testing.T) {
	plain := tarOf(tar.Header{Name: "./d/", Typeflag: tar.TypeDir, Mode: 0o750}, tar.Header{Name: "./d/f", Size: 3, Mode: 0o4755},
		tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "d/f"}, tar.Header{Name: "h", Typeflag: tar.TypeLink, Linkname: "d/f"})
	var zipped bytes.Buffer
	z := zip.NewWriter(&zipped)
	f, _ := z.Create("d/f")
	f.Write([]byte("xxx"))
	z.Close()
	for name, c := range map[string]struct {
		archive []byte
		paths   string
	}{
		"tar":    {plain, "d d/f h l"},
		"tar.gz": {gzipOf(plain), "d d/f h l"},
		"zip":    {zipped.Bytes(), "d d/f"},
	} {
		got, err := ReadContext(c.archive, roomy)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if list := strings.Join(got.Paths(), " "); list != c.paths {
			t.Errorf("%s: %s, want %s", name, list, c.paths)
		}
		if string(got.entries["d/f"].data) != "xxx" {
			t.Errorf("%s: contents %q", name, got.entries["d/f"].data)
		}
	}
	one, _ := ReadContext(plain, roomy)
	two, _ := ReadContext(gzipOf(plain), roomy)
	if one.SHA256() != two.SHA256() || len(one.SHA256()) != 64 {
		t.Errorf("the checksums of equal contents are %s and %s", one.SHA256(), two.SHA256())
	}
}

// TestReadContextRefuses: what must not come in, and the entry that is named to the person.
func TestReadContextRefuses(t *testing.T) {
	many := make([]tar.Header, 101)
	for i := range many {
		many[i] = tar.Header{Name: strings.Repeat("a", i+1)}
	}
	cases := map[string]struct {
		archive []byte
		kind    fault.Kind
		says    string
	}{
		"empty":                  {nil, fault.Invalid, "no archive"},
		"text":                   {[]byte("hello, this is a text file\n"), fault.Invalid, "no archive"},
		"cut short":              {tarOf(tar.Header{Name: "f", Size: 2000})[:1000], fault.Invalid, "f"},
		"broken gzip":            {gzipOf(tarOf(tar.Header{Name: "f", Size: 2000}))[:40], fault.Invalid, ""},
		"dots":                   {tarOf(tar.Header{Name: "a/../../x"}), fault.Invalid, "a/../../x"},
		"absolute":               {tarOf(tar.Header{Name: "/etc/passwd"}), fault.Invalid, "/etc/passwd"},
		"link out":               {tarOf(tar.Header{Name: "d/l", Typeflag: tar.TypeSymlink, Linkname: "../../x"}), fault.Invalid, "d/l"},
		"absolute link":          {tarOf(tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/etc/shadow"}), fault.Invalid, "l"},
		"hard link out":          {tarOf(tar.Header{Name: "h", Typeflag: tar.TypeLink, Linkname: "../x"}), fault.Invalid, "h"},
		"hard link to nothing":   {tarOf(tar.Header{Name: "h", Typeflag: tar.TypeLink, Linkname: "x"}), fault.Invalid, "h"},
		"device":                 {tarOf(tar.Header{Name: "null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}), fault.Invalid, "null"},
		"pipe":                   {tarOf(tar.Header{Name: "p", Typeflag: tar.TypeFifo}), fault.Invalid, "p"},
		"two kinds":              {tarOf(tar.Header{Name: "x", Typeflag: tar.TypeDir}, tar.Header{Name: "x", Typeflag: tar.TypeSymlink, Linkname: "y"}), fault.Invalid, "x"},
		"below a link":           {tarOf(tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "d"}, tar.Header{Name: "l/f"}), fault.Invalid, "l/f"},
		"below a file":           {tarOf(tar.Header{Name: "l"}, tar.Header{Name: "l/f"}), fault.Invalid, "l/f"},
		"too many":               {tarOf(many...), fault.TooLarge, "100"},
		"too large":              {gzipOf(tarOf(tar.Header{Name: "f", Size: 2 << 20})), fault.TooLarge, "1 MiB"},
		"too large archive":      {tarOf(tar.Header{Name: "f", Size: 1<<20 + 1}), fault.TooLarge, "1024 KiB"},
		"too large all together": {gzipOf(tarOf(tar.Header{Name: "f", Size: 700 << 10}, tar.Header{Name: "g", Size: 700 << 10})), fault.TooLarge, "1 MiB"},
		"links to a large one":   {gzipOf(tarOf(tar.Header{Name: "f", Size: 600 << 10}, tar.Header{Name: "g", Typeflag: tar.TypeLink, Linkname: "f"})), fault.TooLarge, "1 MiB"},
	}
	for name, c := range cases {
		got, err := ReadContext(c.archive, roomy)
		if err == nil {
			t.Errorf("%s: taken: %v", name, got.Paths())
			continue
		}
		f := fault.Of(err)
		if f.Kind != c.kind || !strings.Contains(f.Message, c.says) || f.Advice == "" {
			t.Errorf("%s: %s: %q (%s), want %s with %q", name, f.Kind, f.Message, f.Advice, c.kind, c.says)
		}
	}
}

func TestContextFromDir(t *testing.T) {
	dir := t.TempDir()
	os.MkdirAll(filepath.Join(dir, "a/b"), 0o755)
	os.WriteFile(filepath.Join(dir, "a/b/f"), []byte("f"), 0o640)
	os.Symlink("/etc/passwd", filepath.Join(dir, "abs"))
	c, err := ContextFromDir(dir, roomy)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Paths(); !slices.Equal(got, []string{"a", "a/b", "a/b/f", "abs"}) {
		t.Error(got)
	}
	if _, err := ContextFromDir(filepath.Join(dir, "nothing"), roomy); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
}

// TestPackIsReproducible: the archive in the blend depends on the contents alone.
func TestPackIsReproducible(t *testing.T) {
	c, _ := ReadContext(tarOf(tar.Header{Name: "b", Size: 3}, tar.Header{Name: "a", Size: 3}), roomy)
	names, _ := c.named(map[string]bool{"": true, "a": true, "b": true})
	var one, two bytes.Buffer
	if err := errors.Join(c.pack(&one, names), c.pack(&two, names)); err != nil || !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("two archives of the same context differ", err)
	}
}

// FuzzReadContext: whatever comes in, what is taken has only names inside and stays within the limits.
func FuzzReadContext(f *testing.F) {
	f.Add(tarOf(tar.Header{Name: "d/", Typeflag: tar.TypeDir}, tar.Header{Name: "d/f", Size: 3}, tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "d/../d/f"}))
	f.Add(gzipOf(tarOf(tar.Header{Name: "h"}, tar.Header{Name: "g", Typeflag: tar.TypeLink, Linkname: "h"})))
	var zipped bytes.Buffer
	z := zip.NewWriter(&zipped)
	z.Create("../x")
	z.Create("a\\b")
	z.Close()
	f.Add(zipped.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ReadContext(data, Limits{Compressed: 1 << 16, Unpacked: 1 << 16, Entries: 50})
		if err != nil {
			if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge {
				t.Fatalf("%s: %v", k, err)
			}
			return
		}
		total := 0
		for _, name := range c.Paths() {
			e := c.entries[name]
			if checkName(name) != nil || e == nil || e.kind == link && checkLink(name, e.link) != nil {
				t.Fatalf("%q is in", name)
			}
			total += len(e.data)
		}
		if total > 1<<16 || len(c.Paths()) > 50 {
			t.Fatalf("%d bytes in %d entries", total, len(c.Paths()))
		}
		if _, _, err := c.ignore(&budget{}); err == nil {
			if err := c.pack(io.Discard, append([]string{""}, c.Paths()...)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
