package buildcontext

import (
	"archive/tar"
	"bytes"
	"io"
	"slices"
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

// TestTarFromAnyPlace: what is read from any place on, in parts of any size, is that of the whole, and what stands before
// it is not opened.
func TestTarFromAnyPlace(t *testing.T) {
	files := Memory{}
	m, err := read(tarOf(tar.Header{Name: "a", Size: 3}, tar.Header{Name: "b", Size: 512}, tar.Header{Name: "c", Size: 1300},
		tar.Header{Name: "e"}), small, files)
	if err != nil {
		t.Fatal(err)
	}
	need := []string{m.Entries[0].SHA256, m.Entries[1].SHA256, m.Entries[2].SHA256, m.Entries[3].SHA256}
	made, err := NewTar(m, files, need)
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	if err := WriteTar(&all, m, files, need); err != nil || int64(all.Len()) != made.Size() || made.Check() != nil {
		t.Fatalf("%d of %d bytes, %v, %v", all.Len(), made.Size(), err, made.Check())
	}
	for at := 0; at <= all.Len(); at++ {
		part := 1 + at*7%1000
		var got []byte
		_, err := made.Seek(int64(at-all.Len()), io.SeekEnd)
		for err == nil {
			p := make([]byte, part)
			var n int
			n, err = made.Read(p)
			got = append(got, p[:n]...)
		}
		if err != io.EOF || !bytes.Equal(got, all.Bytes()[at:]) {
			t.Fatalf("from %d on in parts of %d: %d bytes, %v", at, part, len(got), err)
		}
	}
	if _, err := made.Seek(-1, io.SeekStart); err == nil {
		t.Error("there is a place before the beginning")
	}
	last := slices.Max(need)
	for _, sum := range need {
		if sum != last {
			delete(files, sum)
		}
	}
	made.Seek(made.members[len(need)].from, io.SeekStart)
	if _, err := io.Copy(io.Discard, made); err != nil {
		t.Errorf("what is passed over was opened: %v", err)
	}
	if made.Check() == nil {
		t.Error("files are not there")
	}
	other, err := NewTar(m, nil, need[1:])
	if err != nil || other.ID() == made.ID() || len(made.ID()) != 64 {
		t.Errorf("other needs have the ID %s, %v", other.ID(), err)
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
