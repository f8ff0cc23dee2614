package dockerfile

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"syscall"
	"time"

	"github.com/klauspost/compress/gzip" // half of the time of the standard one

	"toaster.do/lib/apperr"
)

// ContextFromDir reads a folder, as docker build reads the one it is given. Sockets become empty files.
func ContextFromDir(folder string, l Limits) (*Context, error) {
	c := newContext()
	known := map[[2]uint64]*entry{}
	err := filepath.WalkDir(folder, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, p)
		if err != nil || name == "." {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		e := &entry{kind: file, mode: unixMode(info.Mode()), time: info.ModTime().Truncate(time.Second)}
		switch st := info.Sys().(*syscall.Stat_t); {
		case d.IsDir():
			e.kind = dir
		case known[[2]uint64{st.Dev, st.Ino}] != nil:
			e = c.hardLink(known[[2]uint64{st.Dev, st.Ino}])
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			e.symlink(target)
		case d.Type()&fs.ModeNamedPipe != 0:
			e.kind = pipe
		case d.Type()&fs.ModeSocket != 0:
		case d.Type().IsRegular():
			var f *os.File
			if f, err = os.Open(p); err == nil {
				e.data, err = c.read(name, f, info.Size(), l)
				f.Close()
			}
			if st.Nlink > 1 {
				known[[2]uint64{st.Dev, st.Ino}] = e
			}
		default:
			e.kind = odd
		}
		if err != nil {
			return err
		}
		if e.kind == file || e.kind == dir {
			e.xattrs = Attributes(p)
		}
		return c.add(name, e, l)
	})
	if err != nil {
		if f := (*apperr.Error)(nil); errors.As(err, &f) {
			return nil, f
		}
		return nil, apperr.Wrap(apperr.InvalidArgument, err, "The folder of the build context can't be read: %s.", "Check the name and the permissions.", err.Error())
	}
	return c.finish()
}

// pack makes the archive that travels in the blend: the named entries and the folders above them, the same bytes for the same entries.
func (c *Context) pack(to io.Writer, names []string) error {
	z, err := gzip.NewWriterLevel(to, gzip.BestSpeed)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	first := map[int]string{}
	for _, name := range names {
		e := c.entries[name]
		h := &tar.Header{Name: "./" + name, Mode: e.mode, ModTime: time.Unix(e.time.Unix(), 0), Format: tar.FormatGNU, Size: int64(len(e.data)), Typeflag: tar.TypeReg}
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
