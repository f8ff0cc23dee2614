package dockerfile

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"path"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"toaster.do/lib/apperr"
	"toaster.do/lib/buildcontext"
)

// Limits bounds a build context that is read from an archive.
type Limits = buildcontext.ArchiveLimits

// Context is a build context: files, folders, symbolic links and pipes below one folder. Of anything else it knows the
// name, for those who use it. It has no file's bytes, and reads them where they are needed. Several
// requests may use one.
type Context struct {
	manifest *buildcontext.Manifest
	source   buildcontext.Source
	entries  map[string]*entry // by clean path without a leading slash; the root is ""
	names    []string          // sorted by path, so that a folder comes before what is in it
	folder   string            // the archive's only folder, which it is; "": all of the archive
	sha256   func() string
	inside   func() *Context // what the only folder in the root holds
	failure  *atomic.Pointer[error]
}

type kind = buildcontext.Type

const (
	file = buildcontext.File
	dir  = buildcontext.Dir
	link = buildcontext.Link
	pipe = buildcontext.Fifo
	odd  = buildcontext.Other
)

type entry struct {
	kind   kind
	mode   int64 // permissions with set-id and sticky bits
	time   int64 // Unix seconds
	size   int64
	sha256 string // of a file
	link   string // a symbolic link's target, as it stands
	xattrs map[string]string

	number int // its own in the manifest, from 1; 0: it is not there, as the root need not be
	inode  int // the same for hard links to one file; 0: it has none
}

// NewContext is the context of a manifest, which Folder or ReadArchive made, or Check has passed. Translating it opens
// a few of the files: .dockerignore, what ADD may unpack, scripts, and those that travel in the blend.
func NewContext(m *buildcontext.Manifest, source buildcontext.Source) *Context {
	c := &Context{manifest: m, source: source, entries: make(map[string]*entry, len(m.Entries)+1),
		names: make([]string, 0, len(m.Entries)), sha256: sync.OnceValue(m.Digest),
		failure: &atomic.Pointer[error]{}}
	c.inside = sync.OnceValue(func() *Context {
		top := c.Top()
		in := NewContext(m.Inside(top), source)
		in.folder = top
		return in
	})
	c.entries[""] = &entry{kind: dir, mode: 0o755}
	list := make([]entry, len(m.Entries))
	for i := range m.Entries {
		e, one := &m.Entries[i], &list[i]
		*one = entry{kind: e.Type, mode: e.Mode, time: e.Time, size: e.Size, sha256: e.SHA256, link: e.Link,
			xattrs: e.Xattrs}
		if to := c.entries[e.Hardlink]; e.Hardlink != "" && to != nil {
			to.inode = max(to.inode, to.number)
			*one = *to
		}
		one.number = i + 1
		c.entries[e.Path] = one
		if e.Path != "" {
			c.names = append(c.names, e.Path)
		}
	}
	return c
}

// ReadContext reads a small archive as buildcontext.ReadArchive does, and keeps its files in memory.
func ReadContext(archive []byte, l Limits) (*Context, error) {
	files := buildcontext.Memory{}
	m, err := buildcontext.ReadArchive(bytes.NewReader(archive), int64(len(archive)), l, files)
	if err != nil {
		return nil, err
	}
	return NewContext(m, files), nil
}

// Manifest is what the context consists of: the one that was given, or of that a folder's, see Project.
func (c *Context) Manifest() *buildcontext.Manifest { return c.manifest }

// SHA256 is the digest of the context's manifest, hex: equal for equal contents, however they were packed.
func (c *Context) SHA256() string { return c.sha256() }

// Err is why the translation that ended last could not read a file of the context, as Internal; nil: it could.
func (c *Context) Err() error {
	if err := c.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Paths lists the entries, sorted, without a leading slash.
func (c *Context) Paths() []string { return c.names }

func newContext() *Context { return NewContext(&buildcontext.Manifest{}, buildcontext.Memory{}) }

// files reads those of a context. The first error is kept, and counts when all else is done: see failure.
type files struct {
	buildcontext.Source
	err error
}

// failure is the first error, as Internal.
func (f *files) failure() error {
	if f.err == nil {
		return nil
	}
	return apperr.Wrap(apperr.Internal, f.err, "The build context can't be read.",
		"Try again. If the problem persists, contact the administrator, and include the request ID.")
}

// open returns a file's bytes, nothing where they can't be read.
func (f *files) open(e *entry) io.ReadCloser {
	r, err := f.Open(e.sha256)
	if err != nil {
		f.note(err)
		return io.NopCloser(strings.NewReader(""))
	}
	return r
}

func (f *files) note(err error) { f.err = cmp.Or(f.err, err) }

// read returns all bytes of a file, nil where they can't be read.
func (f *files) read(e *entry) []byte {
	if e.size == 0 {
		return nil
	}
	var data bytes.Buffer
	if _, err := f.copy(&data, e); err != nil {
		f.note(err)
		return nil
	}
	return data.Bytes()
}

// copy copies a file.
func (f *files) copy(to io.Writer, e *entry) (int64, error) {
	r := f.open(e)
	defer r.Close()
	n, err := io.CopyN(to, r, e.size)
	if err == io.EOF {
		err = fmt.Errorf("the file %s of a build context has %d bytes, not %d", e.sha256, n, e.size)
	}
	return n, err
}

func show(name string) string {
	if len(name) > 200 {
		name = name[:200] + "…"
	}
	return fmt.Sprintf("%q", name)
}

func (t *translator) find(p string, follow bool) (place string, e *entry, via []string) {
	return t.context.find(p, follow, t.budget)
}

// find returns the place of p as if the context were /: links are followed, the last one only if follow is set.
// It never leaves the context, as BuildKit's does not. The entry is nil when nothing is there; via lists the links on
// the way.
func (c *Context) find(p string, follow bool, b *budget) (place string, e *entry, via []string) {
	if !b.spend(4 + len(p)/4) {
		return "", nil, nil
	}
	todo := strings.Split(path.Clean("/"+p), "/")
	at := ""
	for links := 0; len(todo) > 0; {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			at = strings.TrimPrefix(path.Dir("/"+at), "/")
			continue
		}
		if !b.spend(1 + len(at)/32) {
			return at, nil, via
		}
		next := strings.TrimPrefix(at+"/"+part, "/")
		e := c.entries[next]
		if e != nil && e.kind == link && (follow || len(todo) > 0) {
			if links++; links > 255 {
				return next, nil, via
			}
			via = append(via, next)
			if strings.HasPrefix(e.link, "/") {
				at = ""
			}
			if !b.spend(len(e.link)/8 + len(todo)/8) {
				return next, nil, via
			}
			todo = append(strings.Split(e.link, "/"), todo...)
			continue
		}
		at = next
	}
	return at, c.entries[at], via
}

// below lists the names under a folder, sorted; "" lists all.
func (c *Context) below(folder string) []string {
	if folder == "" {
		return c.names
	}
	prefix := folder + "/"
	from := sort.SearchStrings(c.names, prefix)
	to := from + sort.Search(len(c.names)-from, func(i int) bool { return !strings.HasPrefix(c.names[from+i], prefix) })
	return c.names[from:to]
}
