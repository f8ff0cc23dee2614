package dockerfile

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip" // half of the time of the standard one
)

// InsideLimit is how large a context may be that travels in the blend, in bytes of an archive that is not compressed,
// with what the Dockerfile uses.
const InsideLimit = 1 << 20

// pack makes the archive that travels in the blend: the named entries and the folders above them, the same bytes for
// the same entries.
func (c *Context) pack(to io.Writer, f *files, names []string) error {
	z, err := gzip.NewWriterLevel(to, gzip.BestSpeed)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	first := map[int]string{}
	for _, name := range names {
		e := c.entries[name]
		h := &tar.Header{Name: "./" + name, Mode: e.mode, ModTime: time.Unix(e.time, 0), Format: tar.FormatGNU,
			Size: e.size, Typeflag: tar.TypeReg}
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
		if other, ok := first[e.inode]; ok && e.inode != 0 {
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, other, 0
		}
		first[e.inode] = h.Name
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if h.Size == 0 {
			continue
		}
		if _, err := f.copy(t, e); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), z.Close())
}

// named lists entries in the order in which they are packed, and the bytes of an archive of them.
func (c *Context) named(wanted map[string]bool) (names []string, size int64) {
	first := map[int]bool{}
	for name := range wanted {
		e := c.entries[name]
		if e.kind == odd {
			continue
		}
		names = append(names, name)
		size += 512
		if !first[e.inode] {
			size += (e.size + 511) / 512 * 512
		}
		first[e.inode] = e.inode != 0
	}
	sort.Strings(names)
	return names, size
}

// numbers are the lines of the encoded manifest that entries stand in, the first line, which is none's, not counted:
// "1-3" and "5", in rising order.
func (c *Context) numbers(names []string) (list []string) {
	var all []int
	for _, name := range names {
		if n := c.entries[name].number; n > 0 {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	for i := 0; i < len(all); {
		j := i + 1
		for j < len(all) && all[j] == all[j-1]+1 {
			j++
		}
		if j == i+1 {
			list = append(list, fmt.Sprint(all[i]))
		} else {
			list = append(list, fmt.Sprintf("%d-%d", all[i], all[j-1]))
		}
		i = j
	}
	return list
}

// sums are the SHA-256 of the files among entries, sorted, each once.
func (c *Context) sums(names []string) (list []string) {
	for _, name := range names {
		if e := c.entries[name]; e.kind == file {
			list = append(list, e.sha256)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// wrapped writes words in lines.
func wrapped(list []string) string {
	var b strings.Builder
	width := 0
	for _, one := range list {
		if width += 1 + len(one); width > 100 {
			b.WriteByte('\n')
			width = len(one)
		} else if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(one)
	}
	return b.String()
}
