package dockerfile

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"toaster.do/lib/apperr"
)

// usual are the default limits.
var usual = Limits{Compressed: 8 << 20, Unpacked: 64 << 20, Entries: 10000}

// manyInTar packs entries, whose headers fill completes.
func manyInTar(n int, fill func(i int, h *tar.Header)) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := range n {
		h := &tar.Header{Name: fmt.Sprint(i), Mode: 0o644, Typeflag: tar.TypeReg}
		fill(i, h)
		w.WriteHeader(h)
	}
	w.Close()
	return b.Bytes()
}

// sparse is an archive of a file that is there often: each time a hole of 32 MiB.
func sparse() []byte {
	one := manyInTar(1, func(_ int, h *tar.Header) { h.Name, h.Format = "hole", tar.FormatGNU })[:512]
	const size = 32 << 20
	octal := func(at int, n int64) { copy(one[at:at+12], fmt.Sprintf("%011o\x00", n)) }
	one[156] = tar.TypeGNUSparse
	octal(386, size) // one piece of no length, at the end
	octal(398, 0)
	octal(483, size)
	sum := 0
	copy(one[148:156], "        ")
	for _, b := range one {
		sum += int(b)
	}
	copy(one[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return append(bytes.Repeat(one, 4000), make([]byte, 1024)...)
}

// overlapping is a zip whose directory names one file of 32 MiB a thousand times.
func overlapping() []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, _ := w.Create("zeros")
	f.Write(make([]byte, 32<<20))
	w.Close()
	text := b.Bytes()
	at := bytes.LastIndex(text, []byte("PK\x05\x06"))
	start := int(binary.LittleEndian.Uint32(text[at+16:]))
	directory, end := text[start:at], bytes.Clone(text[at:])
	const n = 1000
	binary.LittleEndian.PutUint16(end[8:], n)
	binary.LittleEndian.PutUint16(end[10:], n)
	binary.LittleEndian.PutUint32(end[12:], uint32(n*len(directory)))
	return append(append(bytes.Clone(text[:start]), bytes.Repeat(directory, n)...), end...)
}

// TestContextIsReadOnce: what an archive says of itself doesn't multiply the work of reading it. Each of these took
// minutes.
func TestContextIsReadOnce(t *testing.T) {
	deep := strings.Repeat("d/", 1990)
	for name, c := range map[string]struct {
		archive []byte
		refuse  bool
	}{
		"a hole again and again": {sparse(), true},
		"overlapping files":      {overlapping(), true},
		"deep folders": {manyInTar(7900,
			func(i int, h *tar.Header) { h.Name = fmt.Sprint(deep, i) }), false},
		"a file again and again": {manyInTar(20000, func(_ int, h *tar.Header) { h.Name = "a" }), false},
		"many links to one folder": {manyInTar(9000,
			func(i int, h *tar.Header) { h.Typeflag, h.Linkname = tar.TypeSymlink, "." }), false},
	} {
		before := used()
		_, err := ReadContext(c.archive, Limits{Unpacked: usual.Unpacked, Entries: usual.Entries})
		took := used() - before
		t.Logf("%s: %d bytes, %v, %v", name, len(c.archive), took, err)
		if took > 300*ordinary() {
			t.Errorf("%s: it took %v", name, took)
		}
		if c.refuse != (err != nil && apperr.KindOf(err) == apperr.TooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
