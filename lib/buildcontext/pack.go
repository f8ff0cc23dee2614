package buildcontext

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"time"
)

// Pack makes the archive that a person would upload of a folder: what Folder reads, as .tar.gz. Equal files give equal
// bytes, whoever owns them; more than limit bytes are an error.
func Pack(folder, dockerfile string, limit int64) ([]byte, error) {
	t, err := Folder(folder, dockerfile, Limits{Bytes: limit})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if err := errors.Join(writeTar(z, &t.Manifest, t), z.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// writeTar writes a context as a tar. What can't be copied is a device: its reader knows it by name.
func writeTar(w io.Writer, m *Manifest, s Source) error {
	t := tar.NewWriter(w)
	for i := range m.Entries {
		if err := writeEntry(t, &m.Entries[i], s); err != nil {
			return err
		}
	}
	return t.Close()
}

func writeEntry(t *tar.Writer, e *Entry, s Source) error {
	h := &tar.Header{Name: e.Path, Mode: e.Mode, ModTime: time.Unix(e.Time, 0), PAXRecords: e.Xattrs}
	switch {
	case e.Hardlink != "":
		h.Typeflag, h.Linkname = tar.TypeLink, e.Hardlink
	case e.Type == File:
		h.Typeflag, h.Size = tar.TypeReg, e.Size
	case e.Type == Dir:
		h.Typeflag, h.Name = tar.TypeDir, e.Path+"/"
	case e.Type == Link:
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.Link
	case e.Type == Fifo:
		h.Typeflag = tar.TypeFifo
	default:
		h.Typeflag = tar.TypeChar
	}
	if err := t.WriteHeader(h); err != nil || h.Size == 0 {
		return err
	}
	f, err := s.Open(e.SHA256)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.CopyN(t, f, e.Size); err != nil {
		return fmt.Errorf("%s: %w", e.Path, err)
	}
	return nil
}
