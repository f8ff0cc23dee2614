package buildcontext

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"time"
)

// BesideName is what a script looks for beside itself: the tar file with its build context.
const BesideName = "context.tar"

// Tar is what a script needs beside it, as TOASTER_CONTEXT or as context.tar: "manifest", encoded, whose SHA-256 is the
// context's digest, and "blobs/SHA256" for each file that is needed (dockerfile.Blend.Files). Equal contexts and needs
// give equal bytes. A folder with the same files does as well.
//
// It is an io.ReadSeeker: only the manifest is in memory, and what is passed over is not read.
type Tar struct {
	files   Source
	members []tarPart
	at      int64
	body    io.ReadCloser // the file of the part open, at the place bodyAt of the archive; nil: none
	bodyAt  int64
	id      string
}

// tarPart is a file of the archive: a header, its bytes, and zeros up to the next block.
type tarPart struct {
	sum        string // of one that is in files
	text       []byte // of one that isn't
	size, from int64
}

const block = 512

func (m *tarPart) name() string {
	if m.sum == "" {
		return "manifest"
	}
	return "blobs/" + m.sum
}

// end is where the next one begins.
func (m *tarPart) end() int64 { return m.from + block + (m.size+block-1)/block*block }

// NewTar returns the archive of a context with the files that are needed, by SHA-256. One that the context doesn't have
// is an error; files may be nil where nothing is read.
func NewTar(m *Manifest, files Source, need []string) (*Tar, error) {
	var text bytes.Buffer
	if err := m.Encode(&text); err != nil {
		return nil, err
	}
	need = slices.Compact(slices.Sorted(slices.Values(need)))
	digest := sha256.Sum256(text.Bytes())
	id := sha256.Sum256([]byte("toaster " + BesideName + " 1\n" + hex.EncodeToString(digest[:]) + "\n" +
		strings.Join(need, "\n")))
	t := &Tar{files: files, id: hex.EncodeToString(id[:])}
	t.members = append(make([]tarPart, 0, len(need)+1), tarPart{text: text.Bytes(), size: int64(text.Len())})
	sizes := make(map[string]int64, len(need))
	for _, sum := range need {
		sizes[sum] = -1
	}
	for i := range m.Entries {
		if _, ok := sizes[m.Entries[i].SHA256]; ok {
			sizes[m.Entries[i].SHA256] = m.Entries[i].Size
		}
	}
	for _, sum := range need {
		if sizes[sum] < 0 {
			return nil, fmt.Errorf("the build context has no file %s", sum)
		}
		t.members = append(t.members, tarPart{sum: sum, size: sizes[sum], from: t.members[len(t.members)-1].end()})
	}
	return t, nil
}

// WriteTar writes such an archive.
func WriteTar(w io.Writer, m *Manifest, files Source, need []string) error {
	t, err := NewTar(m, files, need)
	if err != nil {
		return err
	}
	defer t.Close()
	_, err = io.Copy(w, t)
	return err
}

// Manifest is the context's, encoded.
func (t *Tar) Manifest() []byte { return t.members[0].text }

// ID names the archive's bytes: 64 hexadecimal digits, of the context's digest and the files that are needed.
func (t *Tar) ID() string { return t.id }

// Size is the archive's, in bytes.
func (t *Tar) Size() int64 { return t.members[len(t.members)-1].end() + 2*block }

// Check returns why a file can't be opened; nil: all can.
func (t *Tar) Check() error {
	for i := range t.members[1:] {
		f, err := t.files.Open(t.members[i+1].sum)
		if err != nil {
			return err
		}
		f.Close()
	}
	return nil
}

// Seek is io.Seeker's. It reads nothing.
func (t *Tar) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += t.at
	case io.SeekEnd:
		offset += t.Size()
	}
	if offset < 0 {
		return 0, errors.New("before the beginning of the archive")
	}
	t.at = offset
	return offset, nil
}

// Read is io.Reader's. It fills p, unless the archive ends.
func (t *Tar) Read(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var got int
		got, err = t.read(p[n:])
		n, t.at = n+got, t.at+int64(got)
	}
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// read reads of one part of the archive.
func (t *Tar) read(p []byte) (int, error) {
	i := sort.Search(len(t.members), func(i int) bool { return t.members[i].end() > t.at })
	if i == len(t.members) {
		left := t.Size() - t.at
		if left <= 0 {
			return 0, io.EOF
		}
		return zeros(p, left), nil
	}
	m := &t.members[i]
	switch at := t.at - m.from; {
	case at < block:
		header, err := m.header()
		if err != nil {
			return 0, err
		}
		return copy(p, header[at:]), nil
	case at >= block+m.size:
		return zeros(p, m.end()-t.at), nil
	case m.sum == "":
		return copy(p, m.text[at-block:]), nil
	default:
		return t.readFile(m, p[:min(int64(len(p)), block+m.size-at)])
	}
}

func zeros(p []byte, most int64) int {
	n := int(min(int64(len(p)), most))
	clear(p[:n])
	return n
}

func (t *Tar) readFile(m *tarPart, p []byte) (int, error) {
	if t.body == nil || t.bodyAt != t.at {
		t.Close()
		f, err := t.files.Open(m.sum)
		if err != nil {
			return 0, err
		}
		t.body, t.bodyAt = f, t.at
		skip := t.at - m.from - block
		if s, ok := f.(io.Seeker); ok {
			_, err = s.Seek(skip, io.SeekStart)
		} else {
			_, err = io.CopyN(io.Discard, f, skip)
		}
		if err != nil {
			return 0, err
		}
	}
	n, err := t.body.Read(p)
	t.bodyAt += int64(n)
	if err == io.EOF && n == 0 {
		return 0, fmt.Errorf("the file %s of a build context is shorter than %d bytes", m.sum, m.size)
	}
	if err == io.EOF {
		err = nil
	}
	if t.bodyAt == m.from+block+m.size {
		t.Close()
	}
	return n, err
}

// Close closes the file that is being read. The archive can still be read.
func (t *Tar) Close() error {
	if t.body == nil {
		return nil
	}
	defer func() { t.body = nil }()
	return t.body.Close()
}

func (m *tarPart) header() ([]byte, error) {
	var b bytes.Buffer
	// GNU's format has a place for sizes over 8 GiB, and its headers are those that the script reads.
	err := tar.NewWriter(&b).WriteHeader(&tar.Header{Name: m.name(), Typeflag: tar.TypeReg, Mode: 0o644, Size: m.size,
		ModTime: time.Unix(0, 0), Format: tar.FormatGNU})
	if err == nil && b.Len() != block {
		err = fmt.Errorf("the header of %s has %d bytes", m.name(), b.Len())
	}
	return b.Bytes(), err
}
