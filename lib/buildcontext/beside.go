package buildcontext

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"slices"
	"time"
)

// BesideName is what a script looks for beside itself: the tar file with its build context.
const BesideName = "context.tar"

// WriteTar writes what a script needs beside it, as TOASTER_CONTEXT or as context.tar: "manifest", encoded, whose
// SHA-256 is the context's digest, and "blobs/SHA256" for each file that is needed (dockerfile.Blend.Files). Equal
// contexts and needs give equal bytes. A folder with the same files does as well.
func WriteTar(w io.Writer, m *Manifest, files Source, need []string) error {
	var text bytes.Buffer
	if err := m.Encode(&text); err != nil {
		return err
	}
	t := tar.NewWriter(w)
	if err := writeBlob(t, "manifest", &text, int64(text.Len())); err != nil {
		return err
	}
	text = bytes.Buffer{}
	sizes := make(map[string]int64, len(need))
	for _, sum := range need {
		sizes[sum] = -1
	}
	for i := range m.Entries {
		if _, ok := sizes[m.Entries[i].SHA256]; ok {
			sizes[m.Entries[i].SHA256] = m.Entries[i].Size
		}
	}
	need = slices.Sorted(slices.Values(need))
	for _, sum := range slices.Compact(need) {
		if err := writeFile(t, files, sum, sizes[sum]); err != nil {
			return err
		}
	}
	return t.Close()
}

func writeFile(t *tar.Writer, files Source, sum string, size int64) error {
	if size < 0 {
		return fmt.Errorf("the build context has no file %s", sum)
	}
	f, err := files.Open(sum)
	if err != nil {
		return err
	}
	defer f.Close()
	return writeBlob(t, "blobs/"+sum, f, size)
}

func writeBlob(t *tar.Writer, name string, r io.Reader, size int64) error {
	// GNU's format has a place for sizes over 8 GiB, and its headers are those that the script reads.
	h := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: size, ModTime: time.Unix(0, 0),
		Format: tar.FormatGNU}
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	n, err := io.Copy(t, io.LimitReader(r, size))
	if err == nil && n < size {
		err = fmt.Errorf("the file %s of a build context has %d bytes, not %d", name, n, size)
	}
	return err
}
