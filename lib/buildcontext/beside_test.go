package buildcontext

import (
	"archive/tar"
	"bytes"
	"io"
	"strings"
	"testing"
)

// TestWriteTar: what a script needs beside it is the manifest, and each file that is needed once.
func TestWriteTar(t *testing.T) {
	files := Memory{}
	m, err := read(tarOf(tar.Header{Name: "a", Size: 3}, tar.Header{Name: "b", Size: 3}, tar.Header{Name: "c", Size: 4},
		tar.Header{Name: "e"}), small, files)
	if err != nil {
		t.Fatal(err)
	}
	need := []string{m.Entries[1].SHA256, m.Entries[0].SHA256, m.Entries[3].SHA256}
	var one, two bytes.Buffer
	if err := WriteTar(&one, m, files, need); err != nil {
		t.Fatal(err)
	}
	if err := WriteTar(&two, m, files, need[1:]); err != nil || !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Errorf("%v: the same files make other bytes", err)
	}
	var names []string
	for r := tar.NewReader(&one); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if sum := sumOf(text); h.Name != "blobs/"+sum && (h.Name != "manifest" || sum != m.Digest()) {
			t.Errorf("%s has the SHA-256 %s", h.Name, sum)
		}
	}
	if len(names) != 3 || names[0] != "manifest" {
		t.Errorf("it has %q", names)
	}
	if err := WriteTar(io.Discard, m, files, []string{strings.Repeat("0", 64)}); err == nil {
		t.Error("a file that the context does not have was written")
	}
	delete(files, need[0])
	if err := WriteTar(io.Discard, m, files, need); err == nil {
		t.Error("a file that is not there was written")
	}
	files[need[0]] = []byte("x")
	if err := WriteTar(io.Discard, m, files, need); err == nil {
		t.Error("a file that is too short was written")
	}
}

// TestInside: the folder's entries are those of a context of its own, with the files that its hard links lead out to.
func TestInside(t *testing.T) {
	m, err := Decode(strings.NewReader("toaster-context 1 archive\nfile 644 7 0 1 " + sum + "\ndir 711 3 a\n" +
		"file 600 0 a.c 1 " + sum + "\nhard 644 7 a/f 0\nhard 644 7 a/g 0\nlink 777 0 a/l ../x\nfile 640 1 a/m 1 " + sum +
		"\nhard 640 1 a/n a/m\n"))
	if err != nil {
		t.Fatal(err)
	}
	in := m.Inside("a")
	want := "file 644 7 f 1\nhard 644 7 g f\nlink 777 0 l ../x\nfile 640 1 m 1\nhard 640 1 n m\n"
	if got := linesOf(t, in); got != want || in.Origin != FromFolder {
		t.Errorf("%q: %s", in.Origin, got)
	}
	if err := Check(in, Limits{}); err != nil {
		t.Error(err)
	}
}
