package buildcontext

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"

	"toaster.do/lib/apperr"
	"toaster.do/lib/i18n"
)

const (
	maxPath   = 4096
	maxPart   = 255      // of a path
	maxTarget = 4095     // of a symbolic link
	maxXattrs = 64 << 10 // keys and values of an entry's
	maxSize   = 1 << 50  // of a file, bytes
	maxTime   = 1 << 40  // seconds before and after 1970
	maxNames  = 64 << 20 // of all names and attributes together, bytes
)

// Names counts what the names and attributes of entries take: they are in memory, as files are not.
type Names int64

// Add counts an entry. It is TooLarge where a path is longer than any can be, or all of them take too much.
func (n *Names) Add(e *Entry) error {
	if len(e.Path) > maxPath {
		return checkName(e.Path)
	}
	*n += Names(len(e.Path) + len(e.Link) + len(e.Hardlink))
	for key, value := range e.Xattrs {
		*n += Names(len(key) + len(value))
	}
	if *n > maxNames {
		return apperr.New(apperr.TooLarge, "The names and attributes in the build context take more than 64 MiB.",
			"List files that the build does not need in .dockerignore.")
	}
	return nil
}

// Check looks at a manifest of a stranger, and refuses what Folder and ReadArchive would not give: names that lead
// out, come twice or stand out of order, entries below what is no folder, and whatever is over a limit. Its errors are
// InvalidArgument and TooLarge, and name the path.
func Check(m *Manifest, l Limits) error {
	if l.Entries > 0 && len(m.Entries) > l.Entries+1 || l.Entries > 0 && len(m.Entries) > l.Entries && !m.hasRoot() {
		return TooMany(l.Entries)
	}
	var total int64
	var names Names
	for i := range m.Entries {
		e := &m.Entries[i]
		if err := names.Add(e); err != nil {
			return err
		}
		if err := m.checkPlace(i); err != nil {
			return err
		}
		if err := m.checkEntry(i); err != nil {
			return err
		}
		if e.Type != File || e.Hardlink != "" {
			continue
		}
		if total += e.Size; l.Bytes > 0 && total > l.Bytes {
			return TooLarge(l.Bytes)
		}
	}
	return m.checkSizes()
}

// checkSizes sees that all files of a SHA-256 have the same size.
func (m *Manifest) checkSizes() error {
	var before *Entry
	for _, i := range m.ByDigest() {
		e := &m.Entries[i]
		if before != nil && before.SHA256 == e.SHA256 && before.Size != e.Size {
			return wrong("The build context can't be used: %s has another size than a file of the same SHA-256.", e.Path)
		}
		before = e
	}
	return nil
}

// ByDigest are the numbers of the entries that have a SHA-256, in the order of these.
func (m *Manifest) ByDigest() []int32 {
	list := make([]int32, 0, len(m.Entries))
	for i := range m.Entries {
		if m.Entries[i].SHA256 != "" {
			list = append(list, int32(i))
		}
	}
	slices.SortStableFunc(list, func(a, b int32) int { return cmp.Compare(m.Entries[a].SHA256, m.Entries[b].SHA256) })
	return list
}

func (m *Manifest) hasRoot() bool { return len(m.Entries) > 0 && m.Entries[0].Path == "" }

// find returns the entry of that path among the first n; nil: there is none.
func (m *Manifest) find(path string, n int) *Entry {
	i := sort.Search(n, func(i int) bool { return m.Entries[i].Path >= path })
	if i == n || m.Entries[i].Path != path {
		return nil
	}
	return &m.Entries[i]
}

// checkPlace checks the path of the entry of that number, and what it stands below.
func (m *Manifest) checkPlace(i int) error {
	e := &m.Entries[i]
	if e.Path == "" {
		if i > 0 || e.Type != Dir {
			return refuse("The build context can't be used: %s is not a folder.", "/")
		}
		return nil
	}
	if err := checkName(e.Path); err != nil {
		return err
	}
	if e.Path != path.Clean(e.Path) || e.Path == "." {
		return wrong("The build context can't be used: %s is not a plain path.", e.Path)
	}
	if i == 0 {
		return m.checkParent(i)
	}
	switch before := m.Entries[i-1].Path; {
	case before == e.Path:
		return wrong("The build context can't be used: %s exists twice.", e.Path)
	case before > e.Path:
		return wrong("The build context can't be used: %s is not in the order of the paths' bytes.", e.Path)
	}
	return m.checkParent(i)
}

func (m *Manifest) checkParent(i int) error {
	name := m.Entries[i].Path
	parent := path.Dir(name)
	if parent == "." {
		return nil
	}
	if up := m.find(parent, i); up == nil || up.Type != Dir {
		return refuse("The build context can't be used: %s is below %s, which is not a folder.", name, parent)
	}
	return nil
}

// checkEntry checks all of the entry of that number but its path.
func (m *Manifest) checkEntry(i int) error {
	e := &m.Entries[i]
	if e.Mode < 0 || e.Mode > 0o7777 || e.Time < -maxTime || e.Time > maxTime {
		return wrong("The build context can't be used: %s has an invalid mode or time.", e.Path)
	}
	if err := e.checkXattrs(); err != nil {
		return err
	}
	isLink, isHard := e.Type == Link, e.Hardlink != ""
	switch e.Type {
	case File, Dir, Link, Fifo, Other:
	default:
		return wrong("The build context can't be used: %s has an unknown type.", e.Path)
	}
	if isHard {
		to := m.find(e.Hardlink, i)
		if e.Type != File || to == nil || to.Type != File || to.Hardlink != "" || e.Size != 0 || e.SHA256 != "" {
			return wrong("The build context can't be used: %s is a hard link to %s, which is not a file before it.", e.Path,
				show(e.Hardlink))
		}
	}
	if isLink != (e.Link != "") || isLink && !isTarget(e.Link) {
		return wrong("The build context can't be used: %s has an invalid link target.", e.Path)
	}
	if e.Type == File && !isHard {
		if e.Size < 0 || e.Size > maxSize || !IsSHA256(e.SHA256) {
			return wrong("The build context can't be used: %s has an invalid size or SHA-256.", e.Path)
		}
	} else if e.Size != 0 || e.SHA256 != "" {
		return wrong("The build context can't be used: %s has contents, and is not a file.", e.Path)
	}
	return nil
}

// isTarget tells whether a symbolic link can lead there.
func isTarget(s string) bool { return s != "" && len(s) <= maxTarget && !strings.ContainsRune(s, 0) }

func (e *Entry) checkXattrs() error {
	if len(e.Xattrs) == 0 {
		return nil
	}
	if e.Type != File && e.Type != Dir || e.Hardlink != "" {
		return wrong("The build context can't be used: %s can't have extended attributes.", e.Path)
	}
	size := 0
	for key, value := range e.Xattrs {
		if !isKept(key) {
			return wrong("The build context can't be used: %s has an extended attribute that builds do not keep.", e.Path)
		}
		size += len(key) + len(value)
	}
	if size > maxXattrs {
		return wrong("The build context can't be used: %s has more than 64 KiB of extended attributes.", e.Path)
	}
	return nil
}

// checkName refuses names that an entry can't have.
func checkName(name string) error {
	switch {
	case name == "":
		return refuse("The build context can't be used: %s has no name.", name)
	case strings.ContainsRune(name, 0):
		return refuse("The build context can't be used: %s has a NUL character in its name.", name)
	case strings.HasPrefix(name, "/"):
		return refuse("The build context can't be used: %s has an absolute name.", name)
	case len(name) > maxPath:
		return refuse("The build context can't be used: %s has a name of more than 4096 bytes.", name[:100])
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return refuse("The build context can't be used: %s leads out of the context with ...", name)
		}
		if len(part) > maxPart {
			return refuse("The build context can't be used: %s has a part of more than 255 bytes in its name.", name)
		}
	}
	return nil
}

// refuse is an error of what somebody has packed.
func refuse(why i18n.Key, name string, args ...any) error {
	for i := range args {
		if s, ok := args[i].(string); ok {
			args[i] = show(s)
		}
	}
	return apperr.New(apperr.InvalidArgument, why,
		"Pack the context with tar or zip in the folder where docker build runs, so that all names are relative.",
		append([]any{show(name)}, args...)...)
}

// wrong is an error of a manifest that no program of toaster has made.
func wrong(why i18n.Key, name string, args ...any) error {
	return apperr.New(apperr.InvalidArgument, why,
		"Create the list of files with the command toaster, or upload an archive.",
		append([]any{show(name)}, args...)...)
}

// show is a name for a person.
func show(name string) string {
	if len(name) > 200 {
		name = name[:200] + "…"
	}
	return fmt.Sprintf("%q", name)
}

// TooMany is the error of a context that is over a limit of entries.
func TooMany(most int) error {
	return apperr.New(apperr.TooLarge, "The build context has more than %d entries.",
		"List files that the build does not need in .dockerignore, and omit them from the archive.", most)
}
