package buildcontext

import (
	"archive/tar"
	"bytes"
	"compress/bzip2"
	"errors"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip" // half of the time of the standard one
	"github.com/klauspost/compress/zstd"
	"github.com/therootcompany/xz"

	"toaster.do/lib/apperr"
)

// ArchiveLimits bounds the contexts that are read from archives; 0 is no limit.
type ArchiveLimits struct {
	Compressed int64 // bytes of the archive
	Unpacked   int64 // bytes of all files
	Entries    int   // files, folders and links
}

// Sink takes the files of an archive.
type Sink interface {
	// Put reads r to its end, and keeps what it reads. The size, bytes, is what the archive says, which need not be true;
	// -1: it says none. It returns the SHA-256, lower-case hex, and the bytes that were read. An error of r is in its own.
	Put(r io.Reader, size int64) (sha256 string, n int64, err error)
}

// ReadArchive reads an archive of size bytes: zip, or tar, plain or packed by gzip, bzip2, xz or zstd, told apart by
// its content. Its files go to sink, one after the other and never whole in memory; what it returns would pass Check.
// It refuses names that lead out and what is over a limit, by InvalidArgument or TooLarge; other errors are the sink's.
// Links may point anywhere: COPY follows none out of the context. After an error, the sink has some of the files.
func ReadArchive(r io.ReaderAt, size int64, l ArchiveLimits, sink Sink) (*Manifest, error) {
	if l.Compressed > 0 && size > l.Compressed {
		return nil, apperr.New(apperr.TooLarge, "The archive of the build context is larger than %d KiB.",
			"Omit files that the build does not need. Download large files with ADD or RUN instead.", l.Compressed>>10)
	}
	a := &archive{limits: l, sink: sink, entries: map[string]*node{}, origin: FromArchive}
	if err := a.readAny(r, size); err != nil {
		if f := (*apperr.Error)(nil); a.failed == nil && !errors.As(err, &f) {
			err = notArchive(err)
		}
		return nil, err
	}
	return a.manifest(), nil
}

func (a *archive) readAny(r io.ReaderAt, size int64) error {
	begin := make([]byte, 8)
	n, err := r.ReadAt(begin, 0)
	if err != nil && err != io.EOF {
		return err
	}
	begin = begin[:n]
	all := io.NewSectionReader(r, 0, size)
	is := func(magic string) bool { return bytes.HasPrefix(begin, []byte(magic)) }
	switch {
	case is("PK\x03\x04"), is("PK\x05\x06"):
		return a.readZip(r, size)
	case is("\x1f\x8b"):
		z, err := gzip.NewReader(all)
		if err != nil {
			return err
		}
		return a.readTar(z)
	case is("BZh"):
		return a.readTar(bzip2.NewReader(all))
	case is("\xfd7zXZ\x00"):
		z, err := xz.NewReader(all, packedWindow)
		if err != nil {
			return err
		}
		return a.readTar(z)
	case is("\x28\xb5\x2f\xfd"):
		z, err := zstd.NewReader(all, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(packedWindow))
		if err != nil {
			return err
		}
		defer z.Close()
		return a.readTar(z)
	}
	if err := notTaken(begin); err != nil {
		return err
	}
	return a.readTar(all)
}

// packedWindow is how far back zstd and xz may look, as much memory as that: what their command lines use without
// options that are named for large ones.
const packedWindow = 8 << 20

// archive is one that is being read.
type archive struct {
	limits  ArchiveLimits
	sink    Sink
	origin  Origin
	entries map[string]*node // by clean path
	names   Names
	read    int64 // bytes of files, also of those that were replaced: an archive may name one a thousand times
	failed  error // of the sink
}

// node is an entry, and the names of its file.
type node struct {
	Entry
	names *names
}

// names are of a file with hard links; first is the one that the manifest has the file by.
type names struct{ first string }

func (a *archive) readTar(r io.Reader) error {
	counter := &counted{r: r, left: a.limits.space()}
	t := tar.NewReader(counter)
	for n := 0; ; n++ {
		h, err := t.Next()
		if err == io.EOF {
			// An archive of nothing is two blocks of zeros, and nothing is no archive.
			if n == 0 && a.limits.space()-counter.left < 1024 {
				return notArchive(errors.New("no entry"))
			}
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			if madeByGit(h.PAXRecords["comment"]) {
				a.origin = FromGit
			}
			continue
		}
		e, err := a.tarEntry(t, h)
		if err != nil {
			return err
		}
		if err := a.add(h.Name, e); err != nil {
			return err
		}
	}
}

func (a *archive) tarEntry(t *tar.Reader, h *tar.Header) (*node, error) {
	e := &node{Entry: Entry{Mode: h.Mode & 0o7777, Time: bounded(h.ModTime.Unix())}}
	var err error
	switch h.Typeflag {
	case tar.TypeReg, '\x00', tar.TypeGNUSparse:
		e.Type, e.Xattrs = File, KeptAttributes(h.PAXRecords)
		err = a.put(e, h.Name, t, h.Size)
	case tar.TypeDir:
		e.Type, e.Xattrs = Dir, KeptAttributes(h.PAXRecords)
	case tar.TypeSymlink:
		e.symlink(h.Linkname)
	case tar.TypeFifo:
		e.Type = Fifo
	case tar.TypeLink:
		same := a.entries[strings.TrimPrefix(path.Clean("/"+h.Linkname), "/")]
		if same == nil || same.Type == Dir || checkName(h.Linkname) != nil {
			e.Type = Other
			break
		}
		if same.Type == File && same.names == nil {
			same.names = &names{}
		}
		other := *same
		e = &other
	default:
		e.Type = Other
	}
	return e, err
}

// bounded keeps a time within what Check takes.
func bounded(seconds int64) int64 { return max(-maxTime, min(seconds, maxTime)) }

// symlink makes e a symbolic link; one to nowhere is something else.
func (e *node) symlink(target string) {
	e.Type, e.Link, e.Mode = Link, target, 0o777
	if !isTarget(target) {
		e.Type, e.Link = Other, ""
	}
}

// put gives a file of size bytes to the sink, within the limits.
func (a *archive) put(e *node, name string, r io.Reader, size int64) error {
	in, err := a.within(name, r, size)
	if err != nil {
		return err
	}
	e.SHA256, e.Size, err = a.sink.Put(in, size)
	switch {
	case in.err != nil:
		return in.err
	case err != nil:
		a.failed = err
	}
	return err
}

// within bounds a file of the archive, of size bytes as it says.
func (a *archive) within(name string, r io.Reader, size int64) (*member, error) {
	m := &member{archive: a, name: name, r: r, left: 1 << 50}
	if a.limits.Unpacked > 0 {
		m.left = a.limits.Unpacked - a.read
	}
	if size > m.left {
		return nil, tooLarge(a.limits)
	}
	return m, nil
}

// member is a file of an archive, which ends with an error of its own when it is damaged or too large.
type member struct {
	*archive
	name string
	r    io.Reader
	left int64
	err  error
}

func (m *member) Read(p []byte) (int, error) {
	if m.err != nil {
		return 0, m.err
	}
	n, err := m.r.Read(p)
	m.read += int64(n)
	f := (*apperr.Error)(nil)
	switch m.left -= int64(n); {
	case m.left < 0:
		m.err = tooLarge(m.limits)
		return 0, m.err
	case errors.As(err, &f):
		m.err = f
		return n, m.err
	case err != nil && err != io.EOF:
		m.err = apperr.Wrap(apperr.InvalidArgument, err, "The archive of the build context is damaged at %s.",
			"Pack it again.", show(m.name))
		return n, m.err
	}
	return n, err
}

// add puts an entry in, with the folders above it. An archive may name a thing twice: the last one wins if the kind is
// the same.
func (a *archive) add(name string, e *node) error {
	if err := checkName(name); err != nil {
		return err
	}
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if name == "" {
		if e.Type != Dir {
			return refuse("The build context can't be used: %s is not a folder.", "/")
		}
		return nil // as docker build sends none of a folder
	}
	for p := path.Dir(name); p != "."; p = path.Dir(p) {
		up, ok := a.entries[p]
		if ok && up.Type != Dir {
			return refuse("The build context can't be used: %s is below %s, which is not a folder.", name, p)
		}
		if ok {
			break // and so are those above it
		}
		a.entries[p] = &node{Entry: Entry{Path: p, Type: Dir, Mode: 0o755, Time: e.Time}}
	}
	if old, ok := a.entries[name]; ok && old.Type != e.Type {
		return refuse("The build context can't be used: %s exists twice, with different types.", name)
	}
	e.Path = strings.Clone(name)
	a.entries[e.Path] = e
	if err := a.names.Add(&e.Entry); err != nil {
		return err
	}
	if a.limits.Entries > 0 && len(a.entries) > a.limits.Entries {
		return TooMany(a.limits.Entries)
	}
	return e.checkXattrs()
}

// manifest is what was read. A file with several names is the first one's, and the others are links to it.
func (a *archive) manifest() *Manifest {
	m := &Manifest{Origin: a.origin, Entries: make([]Entry, 0, len(a.entries))}
	for _, name := range slices.Sorted(maps.Keys(a.entries)) {
		e := a.entries[name]
		if n := e.names; n != nil && n.first != "" {
			e.Entry = Entry{Path: name, Type: File, Mode: e.Mode, Time: e.Time, Hardlink: n.first}
		} else if n != nil {
			n.first = name
		}
		m.Entries = append(m.Entries, e.Entry)
	}
	return m
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

// space is how many bytes an archive can have with its headers.
func (l ArchiveLimits) space() int64 {
	if l.Unpacked == 0 {
		return 1 << 50
	}
	return l.Unpacked + int64(l.Entries)*4096 + 1<<20
}

func tooLarge(l ArchiveLimits) error {
	return apperr.New(apperr.TooLarge, "The build context is larger than %d MiB when unpacked.",
		"List files that the build does not need in .dockerignore, and omit them from the archive.", l.Unpacked>>20)
}

func notArchive(err error) error {
	if errors.Is(err, xz.ErrMemlimit) || errors.Is(err, zstd.ErrWindowSizeExceeded) {
		return apperr.Wrap(apperr.InvalidArgument, err, "The archive of the build context needs too much memory to unpack.",
			"Pack it with the default level of xz or zstd.")
	}
	return apperr.Wrap(apperr.InvalidArgument, err, "The build context is not a readable archive.",
		"Upload the folder where docker build runs as a .zip, .tar, .tar.gz, .tar.bz2, .tar.xz or .tar.zst file.")
}

// madeByGit tells the comment that git archive leaves, which forges use: a commit.
func madeByGit(comment string) bool {
	return (len(comment) == 40 || len(comment) == 64) && strings.Trim(comment, hexDigits) == ""
}

// notTaken refuses the kinds of archives that are told apart, and not taken.
func notTaken(begin []byte) error {
	for _, k := range []struct{ bytes, name string }{
		{"7z\xbc\xaf\x27\x1c", "7z"}, {"Rar!\x1a\x07", "RAR"}, {"LZIP", "lzip"},
		{"\x1f\x9d", "compress (.Z)"},
		{"\x89LZO", "lzop"}, {"\x04\x22\x4d\x18", "lz4"}, {"070701", "cpio"}, {"!<arch>\n", "ar (.deb)"},
	} {
		if bytes.HasPrefix(begin, []byte(k.bytes)) {
			return apperr.New(apperr.InvalidArgument, "The build context is compressed with %s, which is not supported.",
				"Pack it as .tar, .tar.gz, .tar.bz2, .tar.xz, .tar.zst or .zip.", k.name)
		}
	}
	return nil
}
