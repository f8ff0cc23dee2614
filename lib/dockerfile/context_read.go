package dockerfile

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/bzip2"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip" // half of the time of the standard one
	"github.com/klauspost/compress/zstd"

	"toaster.do/lib/apperr"
	"toaster.do/lib/buildcontext"
)

// ReadContext reads an archive: zip, or tar, plain or packed by gzip, bzip2 or zstd, told apart by its content. It
// refuses names that lead out and what
// is over a limit (0 is none), by InvalidArgument or TooLarge. Links may point anywhere: COPY follows none out of the
// context.
func ReadContext(archive []byte, l Limits) (*Context, error) {
	if l.Compressed > 0 && int64(len(archive)) > l.Compressed {
		return nil, apperr.New(apperr.TooLarge, "The archive of the build context is larger than %d KiB.",
			"Omit files that the build does not need. Download large files with ADD or RUN instead.", l.Compressed>>10)
	}
	c := newContext()
	var err error
	switch {
	case bytes.HasPrefix(archive, []byte("PK\x03\x04")), bytes.HasPrefix(archive, []byte("PK\x05\x06")):
		err = c.readZip(archive, l)
	case bytes.HasPrefix(archive, []byte{0x1f, 0x8b}):
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(archive)); err == nil {
			err = c.readTar(z, l)
		}
	case bytes.HasPrefix(archive, []byte("BZh")):
		err = c.readTar(bzip2.NewReader(bytes.NewReader(archive)), l)
	case bytes.HasPrefix(archive, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		var z *zstd.Decoder
		if z, err = zstd.NewReader(bytes.NewReader(archive), zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderMaxWindow(zstdWindow)); err == nil {
			err = c.readTar(z, l)
			z.Close()
		}
	default:
		if err = notTaken(archive); err == nil {
			err = c.readTar(bytes.NewReader(archive), l)
		}
	}
	if err != nil {
		if f := (*apperr.Error)(nil); errors.As(err, &f) {
			return nil, f
		}
		return nil, notArchive(err)
	}
	return c.finish()
}

// zstdWindow is how far back zstd may look, as much memory as that: what its command line uses at most without --long.
const zstdWindow = 8 << 20

func notArchive(err error) error {
	return apperr.Wrap(apperr.InvalidArgument, err, "The build context is not a readable archive.",
		"Upload the folder where docker build runs as a .zip, .tar, .tar.gz, .tar.bz2 or .tar.zst file.")
}

func (c *Context) readTar(r io.Reader, l Limits) error {
	counter := &counted{r: r, left: spaceFor(l)}
	t := tar.NewReader(counter)
	for n := 0; ; n++ {
		h, err := t.Next()
		if err == io.EOF {
			// An archive of nothing is two blocks of zeros, and nothing is no archive.
			if n == 0 && spaceFor(l)-counter.left < 1024 {
				return notArchive(errors.New("no entry"))
			}
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			c.byGit = c.byGit || madeByGit(h.PAXRecords["comment"])
			continue
		}
		e, err := c.tarEntry(t, h, l)
		if err != nil {
			return err
		}
		if err := c.add(h.Name, e, l); err != nil {
			return err
		}
	}
}

func (c *Context) tarEntry(t *tar.Reader, h *tar.Header, l Limits) (*entry, error) {
	e := &entry{mode: h.Mode & 0o7777, time: h.ModTime.Truncate(time.Second), xattrs: buildcontext.KeptAttributes(h.PAXRecords)}
	var err error
	switch h.Typeflag {
	case tar.TypeReg, '\x00', tar.TypeGNUSparse:
		e.kind = file
		e.data, err = c.read(h.Name, t, h.Size, l)
	case tar.TypeDir:
		e.kind = dir
	case tar.TypeSymlink:
		e.symlink(h.Linkname)
	case tar.TypeFifo:
		e.kind = pipe
	case tar.TypeLink:
		same := c.entries[strings.TrimPrefix(path.Clean("/"+h.Linkname), "/")]
		switch {
		case same == nil || same.kind == dir || checkName(h.Linkname) != nil:
			e.kind, e.link = odd, h.Linkname
		case l.Unpacked > 0 && c.size+int64(len(same.data)) > l.Unpacked:
			return nil, tooLarge(l)
		default:
			e = c.hardLink(same)
		}
	default:
		e.kind = odd
	}
	return e, err
}

// symlink makes e a symbolic link.
func (e *entry) symlink(target string) {
	e.kind, e.link, e.mode = link, target, 0o777
	if target == "" || strings.ContainsRune(target, 0) || len(target) > 4095 {
		e.kind, e.link = odd, nowhere
	}
}

func (c *Context) readZip(archive []byte, l Limits) error {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return err
	}
	c.byGit = madeByGit(z.Comment)
	for _, f := range z.File {
		name := zipName(f)
		if strings.Contains(name, `\`) && f.CreatorVersion>>8 != 3 { // made on Windows by a careless program
			name = strings.ReplaceAll(name, `\`, "/")
		}
		e, err := c.zipEntry(f, name, l)
		if err != nil {
			return err
		}
		if err := c.add(name, e, l); err != nil {
			return err
		}
	}
	return nil
}

// cp437 are the upper half of the characters of a ZIP's names that are not said to be UTF-8 (APPNOTE.TXT, appendix D).
const cp437 = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0"

// zipName is an entry's name. Programs of Unix write its bytes as they are, whatever they say of them.
func zipName(f *zip.File) string {
	if !f.NonUTF8 || utf8.ValidString(f.Name) || f.CreatorVersion>>8 == 3 {
		return f.Name
	}
	upper := []rune(cp437)
	var b strings.Builder
	for i := range len(f.Name) {
		if c := f.Name[i]; c < 0x80 {
			b.WriteByte(c)
		} else {
			b.WriteRune(upper[c-0x80])
		}
	}
	return b.String()
}

func (c *Context) zipEntry(f *zip.File, name string, l Limits) (*entry, error) {
	e := &entry{kind: file, mode: buildcontext.UnixMode(f.Mode()), time: f.Modified.Truncate(time.Second)}
	if f.CreatorVersion>>8 != 3 && f.CreatorVersion>>8 != 19 { // no Unix permissions inside
		e.mode = 0o644
	}
	switch {
	case f.Mode().IsDir() || strings.HasSuffix(name, "/"):
		if e.kind = dir; e.mode == 0o644 {
			e.mode = 0o755
		}
		return e, nil
	case f.Mode()&fs.ModeNamedPipe != 0:
		e.kind = pipe
		return e, nil
	case f.Mode()&fs.ModeSymlink == 0 && !f.Mode().IsRegular():
		e.kind = odd
		return e, nil
	}
	if f.Flags&1 != 0 {
		return nil, apperr.New(apperr.InvalidArgument, "The archive of the build context is encrypted: %s.",
			"Pack it again without a password.", show(name))
	}
	r, err := f.Open()
	if errors.Is(err, zip.ErrAlgorithm) {
		return nil, apperr.New(apperr.InvalidArgument,
			"The archive of the build context has %s with an unsupported compression.",
			"Pack it again with the default compression (deflate), or as .tar.gz.", show(name))
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if e.data, err = c.read(name, r, int64(min(f.UncompressedSize64, 1<<62)), l); err != nil {
		return nil, err
	}
	if f.Mode()&fs.ModeSymlink != 0 {
		e.symlink(string(e.data))
		e.data = nil
	}
	return e, nil
}

// counted ends a stream that unpacks to far more than the limits allow, before it fills the memory with headers.
type counted struct {
	r    io.Reader
	left int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, apperr.New(apperr.TooLarge, "The build context is much larger than the limit when unpacked.",
			"Omit files that the build does not need.")
	}
	return n, err
}

func spaceFor(l Limits) int64 {
	if l.Unpacked == 0 {
		return 1 << 40
	}
	return l.Unpacked + int64(l.Entries)*4096 + 1<<20
}
