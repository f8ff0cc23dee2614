package buildcontext

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"

	"toaster.do/lib/apperr"
)

// Tree is a build context that lies in a folder of this machine.
type Tree struct {
	Manifest
	Folder string // which it is

	root  string            // Folder without links
	files []file            // those with content of their own, in the manifest's order
	paths map[string]string // SHA-256 → where the file is
	extra map[string][]byte // SHA-256 → content of what is no file in the folder
}

// file is one whose content is to be summed up.
type file struct {
	entry int // in the manifest
	path  string
	Stamp
}

// Stamp is what of a file changes when its content does, on file systems that tell.
type Stamp struct {
	Size, Modified, Changed int64 // bytes; nanoseconds since 1970
	Inode                   uint64
}

// Limits bounds the contexts that are made of folders; 0 is no limit.
type Limits struct {
	Bytes   int64 // of all files
	Entries int   // files, folders and links
}

// Folder reads the context that docker build sends of a folder: without what the .dockerignore of the Dockerfile of
// that name says ("": Dockerfile; with ../ one outside of the folder), and without owners. Over a limit it is TooLarge,
// with the five largest files, before the content of one is read.
func Folder(folder, dockerfile string, l Limits) (*Tree, error) {
	t, err := Scan(context.Background(), folder, dockerfile)
	if err == nil {
		err = t.Check(l)
	}
	if err == nil {
		err = t.Sum(context.Background(), nil)
	}
	return t, err
}

// Scan is Folder without limits, and without the SHA-256 of the files: see Check and Sum. The end of
// the context ends it with the context's error.
func Scan(ctx context.Context, folder, dockerfile string) (*Tree, error) {
	name := filepath.ToSlash(dockerfile)
	ignored, err := readIgnore(folder, name)
	if err != nil {
		return nil, err
	}
	root, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return nil, errors.Join(err, fmt.Errorf("%s is not a folder", folder))
	}
	s := scanner{
		Tree: Tree{Folder: folder, root: root, paths: map[string]string{}, extra: map[string][]byte{sumOf(nil): nil}},
		name: name, always: append(ignoreFiles(name), cmp.Or(name, "Dockerfile")), ignored: ignored,
		parents: map[string]patternmatcher.MatchInfo{}, seen: map[string]bool{".": true},
		others: map[string]inode{}, stamps: map[string]Stamp{}}
	err = errors.Join(s.addOuter(), filepath.WalkDir(root, func(at string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return s.visit(at, d, err)
	}))
	if err != nil {
		return nil, err
	}
	s.sort()
	return &s.Tree, nil
}

// ignoreFiles are where Docker looks for what to ignore, the first one wins. They and the Dockerfile are sent in any
// case: the translator goes by them again. One beside a Dockerfile outside of the folder is sent as outerIgnore.
func ignoreFiles(dockerfile string) []string {
	return []string{cmp.Or(dockerfile, "Dockerfile") + ".dockerignore", ".dockerignore"}
}

// outerIgnore is where the context has NAME.dockerignore of a Dockerfile that is not in the folder. It leaves itself
// out.
const outerIgnore = "Dockerfile.dockerignore"

// IsOuter tells whether a Dockerfile that is not in the folder has a .dockerignore of its own beside it.
func IsOuter(folder, name string) bool {
	_, err := os.Stat(filepath.Join(folder, name+".dockerignore"))
	return strings.HasPrefix(filepath.ToSlash(name), "../") && err == nil
}

// Downloaded is the file that “toaster” puts into a folder that it downloads to. Such a folder is no part of a context:
// images would be sent with the next build.
const Downloaded = ".toaster.json"

type scanner struct {
	Tree
	name    string   // the Dockerfile's
	always  []string // what is sent even if it is ignored
	ignored *patternmatcher.PatternMatcher
	parents map[string]patternmatcher.MatchInfo
	seen    map[string]bool
	others  map[string]inode // of paths of files with several names
	stamps  map[string]Stamp // of paths of files
}

func (s *scanner) addOuter() error {
	if !IsOuter(s.Folder, s.name) {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(s.Folder, s.name+".dockerignore"))
	if err != nil {
		return err
	}
	text = append(text, "\n"+outerIgnore+"\n"...)
	s.seen[outerIgnore] = true
	s.extra[sumOf(text)] = text
	s.Entries = append(s.Entries,
		Entry{Path: outerIgnore, Type: File, Mode: 0o644, Size: int64(len(text)), SHA256: sumOf(text)})
	return nil
}

func (s *scanner) visit(at string, d fs.DirEntry, err error) error {
	if err != nil || at == s.root {
		return err
	}
	rel, err := filepath.Rel(s.root, at)
	if err != nil {
		return err
	}
	name := filepath.ToSlash(rel)
	if d.IsDir() {
		if _, err := os.Lstat(filepath.Join(at, Downloaded)); err == nil {
			return fs.SkipDir
		}
	}
	skip, match, err := s.ignored.MatchesUsingParentResults(name, s.parents[path.Dir(name)])
	if err != nil {
		return err
	}
	if d.IsDir() {
		s.parents[name] = match
	}
	switch {
	case !skip || slices.Contains(s.always, name):
		return s.add(name)
	case d.IsDir() && !s.ignored.Exclusions() &&
		!slices.ContainsFunc(s.always, func(a string) bool { return strings.HasPrefix(a, name+"/") }):
		return fs.SkipDir
	}
	return nil
}

// add adds an entry, and before it the folders above that were ignored.
func (s *scanner) add(name string) error {
	if s.seen[name] {
		return nil
	}
	s.seen[name] = true
	if err := s.add(path.Dir(name)); err != nil {
		return err
	}
	at := filepath.Join(s.root, filepath.FromSlash(name))
	info, err := os.Lstat(at)
	if err != nil {
		return err
	}
	e := Entry{Path: name, Mode: modeOf(info), Time: info.ModTime().Unix()}
	switch {
	case info.Mode().IsRegular():
		e.Type, e.Size, e.Xattrs = File, info.Size(), Attributes(at)
		s.stamps[name] = stampOf(info)
		if i := inodeOf(info); i.names > 1 {
			s.others[name] = i
		}
	case info.IsDir():
		e.Type, e.Xattrs = Dir, Attributes(at)
	case info.Mode()&fs.ModeSymlink != 0:
		e.Type, e.Mode = Link, 0o777
		if e.Link, err = os.Readlink(at); err != nil {
			return err
		}
		e.Link = filepath.ToSlash(e.Link)
	case info.Mode()&fs.ModeNamedPipe != 0:
		e.Type = Fifo
	case info.Mode()&fs.ModeSocket != 0: // docker build sends an empty file
		e.Type, e.Mode, e.SHA256 = File, e.Mode&0o777, sumOf(nil)
	default:
		e.Type = Other
	}
	s.Entries = append(s.Entries, e)
	return nil
}

// sort puts the entries in order, makes hard links of the further names of a file, and lists what is to be summed up.
func (s *scanner) sort() {
	slices.SortFunc(s.Entries, func(a, b Entry) int { return cmp.Compare(a.Path, b.Path) })
	first := map[inode]string{}
	for i := range s.Entries {
		e := &s.Entries[i]
		if e.Type != File || e.SHA256 != "" {
			continue
		}
		if at, several := s.others[e.Path]; several {
			if other, ok := first[at]; ok {
				e.Hardlink, e.Size, e.Xattrs = other, 0, nil
				continue
			}
			first[at] = e.Path
		}
		s.files = append(s.files, file{entry: i, path: filepath.Join(s.root, filepath.FromSlash(e.Path)),
			Stamp: s.stamps[e.Path]})
	}
}

// Check returns what is over a limit, as TooLarge, with the five largest files.
func (t *Tree) Check(l Limits) error {
	if n := len(t.Entries); l.Entries > 0 && n > l.Entries {
		return apperr.New(apperr.TooLarge, "%s has %d entries, and a build context may have %d.",
			"List files that the build does not need in .dockerignore.", t.Folder, n, l.Entries)
	}
	if n := t.Size(); l.Bytes > 0 && n > l.Bytes {
		var list []string
		for _, e := range t.Largest(5) {
			list = append(list, e.Path+" ("+Bytes(e.Size)+")")
		}
		return apperr.New(apperr.TooLarge, "%s is too large for a build context: %s of at most %s. Largest files: %s.",
			"List files that the build does not need in .dockerignore.", t.Folder, Bytes(n), Bytes(l.Bytes),
			strings.Join(list, ", "))
	}
	return nil
}

// Largest returns the n largest files, the largest first.
func (t *Tree) Largest(n int) []Entry {
	list := slices.DeleteFunc(slices.Clone(t.Entries), func(e Entry) bool { return e.Type != File })
	slices.SortStableFunc(list, func(a, b Entry) int { return cmp.Compare(b.Size, a.Size) })
	return list[:min(n, len(list))]
}

// Path is where the file with that SHA-256 is; "": it is none of the folder's.
func (t *Tree) Path(sha256 string) string { return t.paths[sha256] }

// Open implements Source. What it reads is the file as it is now.
func (t *Tree) Open(sha256 string) (io.ReadCloser, error) {
	if text, ok := t.extra[sha256]; ok {
		return io.NopCloser(bytes.NewReader(text)), nil
	}
	if at := t.paths[sha256]; at != "" {
		return os.Open(at)
	}
	return nil, fs.ErrNotExist
}
