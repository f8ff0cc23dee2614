package dockerfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"sort"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/i18n"
)

// Limits bounds a build context.
type Limits struct {
	Compressed int64 // bytes of the archive
	Unpacked   int64 // bytes of all files
	Entries    int   // files, folders and links
}

// Context is a build context, read and checked: files, folders, symbolic links and pipes below one folder. Of anything
// else it knows the name, for those who use it.
type Context struct {
	entries map[string]*entry // by clean path without a leading slash; the root is ""
	names   []string          // sorted by path, so that a folder comes before what is in it
	sum     string
	size    int64  // of all that was read, also what was replaced: an archive may name a large file a thousand times
	inodes  int    // of files with hard links
	byGit   bool   // git archive made the archive, as forges do
	folder  string // the archive's only folder, which it is; "": all of the archive
}

type kind byte

const (
	file kind = 'f'
	dir  kind = 'd'
	link kind = 'l'
	pipe kind = 'p'
	odd  kind = 'o' // a device, or a link to nowhere
)

// nowhere stands for a symbolic link's target that none can have.
const nowhere = "\x00"

type entry struct {
	kind kind
	mode int64 // permissions with set-id and sticky bits
	time time.Time
	data []byte
	link string // a symbolic link's target, as it stands; of what is odd, nowhere, a hard link's; "" for a device

	xattrs map[string]string // see buildcontext.KeptAttributes

	inode int // the same for hard links to one file; 0: it has none
}

// SHA256 is the checksum of the context's contents, hex: equal for equal contents, however they were packed.
func (c *Context) SHA256() string { return c.sum }

// Paths lists the entries, sorted, without a leading slash.
func (c *Context) Paths() []string { return c.names }

func newContext() *Context {
	return &Context{entries: map[string]*entry{"": {kind: dir, mode: 0o755}}}
}

// add puts an entry in, with the folders above it. An archive may name a thing twice: the last one wins if the kind is
// the same.
func (c *Context) add(name string, e *entry, l Limits) error {
	if err := checkName(name); err != nil {
		return err
	}
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if name == "" {
		if e.kind != dir {
			return refuse("The build context can't be used: %s is not a folder.", "/")
		}
		c.entries[""] = e
		return nil
	}
	for p := path.Dir(name); p != "."; p = path.Dir(p) {
		up, ok := c.entries[p]
		if ok && up.kind != dir {
			return refuse("The build context can't be used: %s is below %s, which is not a folder.", name, p)
		}
		if ok {
			break // and so are those above it
		}
		c.entries[p] = &entry{kind: dir, mode: 0o755, time: e.time}
	}
	if old, ok := c.entries[name]; ok && old.kind != e.kind {
		return refuse("The build context can't be used: %s exists twice, with different types.", name)
	}
	c.entries[name] = e
	c.size += int64(len(e.data))
	if l.Entries > 0 && len(c.entries)-1 > l.Entries {
		return apperr.New(apperr.TooLarge, "The build context has more than %d entries.",
			"List files that the build does not need in .dockerignore, and omit them from the archive.", l.Entries)
	}
	return nil
}

// read reads a file of size bytes within the limits; size -1 is unknown.
func (c *Context) read(name string, r io.Reader, size int64, l Limits) ([]byte, error) {
	space := int64(1) << 40
	if l.Unpacked > 0 {
		space = l.Unpacked - c.size
	}
	if size > space {
		return nil, tooLarge(l)
	}
	var data bytes.Buffer
	data.Grow(int(min(max(size, 0), 1<<20)) + bytes.MinRead) // what an archive says of a size need not be true
	if _, err := data.ReadFrom(io.LimitReader(r, space+1)); err != nil {
		return nil, apperr.Wrap(apperr.InvalidArgument, err, "The archive of the build context is damaged at %s.",
			"Pack it again.", show(name))
	}
	if int64(data.Len()) > space {
		return nil, tooLarge(l)
	}
	return data.Bytes(), nil
}

func tooLarge(l Limits) error {
	return apperr.New(apperr.TooLarge, "The build context is larger than %d MiB when unpacked.",
		"Omit files that the build does not need.", l.Unpacked>>20)
}

// finish sorts and sums up.
func (c *Context) finish() (*Context, error) {
	delete(c.entries, ".")
	for name := range c.entries {
		if name != "" {
			c.names = append(c.names, name)
		}
	}
	sort.Strings(c.names)
	h := sha256.New()
	first := map[int]string{}
	for _, name := range c.names {
		e := c.entries[name]
		fmt.Fprintf(h, "%c %o %d %q %q %d\n", e.kind, e.mode, e.time.Unix(), name, e.link, len(e.data))
		h.Write(e.data)
		for _, key := range slices.Sorted(maps.Keys(e.xattrs)) {
			fmt.Fprintf(h, "%q %q\n", key, e.xattrs[key])
		}
		if other, ok := first[e.inode]; ok && e.inode != 0 {
			fmt.Fprintf(h, "%q\n", other)
		} else {
			first[e.inode] = name
		}
	}
	c.sum = hex.EncodeToString(h.Sum(nil))
	return c, nil
}

// hardLink is another name of a file.
func (c *Context) hardLink(to *entry) *entry {
	if to.inode == 0 {
		c.inodes++
		to.inode = c.inodes
	}
	other := *to
	return &other
}

func checkName(name string) error {
	switch {
	case name == "":
		return refuse("The build context can't be used: %s has no name.", name)
	case strings.ContainsRune(name, 0):
		return refuse("The build context can't be used: %s has a NUL character in its name.", name)
	case strings.HasPrefix(name, "/"):
		return refuse("The build context can't be used: %s has an absolute name.", name)
	case len(name) > 4096:
		return refuse("The build context can't be used: %s has a name of more than 4096 bytes.", name[:100])
	}
	for _, part := range strings.Split(name, "/") {
		if part == ".." {
			return refuse("The build context can't be used: %s leads out of the context with ...", name)
		}
		if len(part) > 255 {
			return refuse("The build context can't be used: %s has a part of more than 255 bytes in its name.", name)
		}
	}
	return nil
}

func refuse(why i18n.Key, name string, args ...any) error {
	return apperr.New(apperr.InvalidArgument, why,
		"Pack the context with tar or zip in the folder where docker build runs, so that all names are relative.",
		append([]any{show(name)}, args...)...)
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
