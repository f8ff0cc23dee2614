package dockerfile

import (
	"archive/tar"
	"errors"
	"io"
	"sort"
	"time"

	"github.com/klauspost/compress/gzip" // half of the time of the standard one
)

// pack makes the archive that travels in the blend: the named entries and the folders above them, the same bytes for
// the same entries.
func (c *Context) pack(to io.Writer, names []string) error {
	z, err := gzip.NewWriterLevel(to, gzip.BestSpeed)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	first := map[int]string{}
	for _, name := range names {
		e := c.entries[name]
		h := &tar.Header{Name: "./" + name, Mode: e.mode, ModTime: time.Unix(e.time.Unix(), 0), Format: tar.FormatGNU,
			Size: int64(len(e.data)), Typeflag: tar.TypeReg}
		if len(e.xattrs) > 0 {
			h.Format, h.PAXRecords = tar.FormatPAX, e.xattrs
		}
		switch e.kind {
		case dir:
			h.Typeflag, h.Name = tar.TypeDir, "./"+name+"/"
		case link:
			h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
		case pipe:
			h.Typeflag = tar.TypeFifo
		}
		data := e.data
		if other, ok := first[e.inode]; ok && e.inode != 0 {
			h.Typeflag, h.Linkname, h.Size, data = tar.TypeLink, other, 0, nil
		}
		first[e.inode] = h.Name
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(data); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), z.Close())
}

// named lists entries in the order in which they are packed, and the bytes that they take at most.
func (c *Context) named(wanted map[string]bool) (names []string, size int) {
	for name := range wanted {
		if e := c.entries[name]; e.kind != odd {
			names = append(names, name)
			size += len(e.data)
		}
	}
	sort.Strings(names)
	return names, size
}
