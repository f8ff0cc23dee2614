package buildcontext

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"toaster.do/lib/apperr"
	"toaster.do/lib/dockerfile"
)

// Pack makes the archive that a person would upload of a folder: as docker build sends it, without what the named
// Dockerfile's .dockerignore says. Equal files give equal bytes, whoever owns them; more than limit bytes are an error.
func Pack(folder, name string, limit int64) ([]byte, error) {
	ignored, err := readIgnore(folder, name)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	p := packer{tar.NewWriter(z), folder, append(ignoreFiles(name), name), ignored,
		map[string]patternmatcher.MatchInfo{},
		map[string]bool{".": true}, map[[2]uint64]string{}, limit}
	err = p.addOuter(name)
	if err == nil {
		err = filepath.WalkDir(folder, p.visit)
	}
	if err := errors.Join(err, p.Close(), z.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// ignoreFiles are where Docker looks for what to ignore, the first one wins. They and the Dockerfile are packed in any
// case: the translator goes by them again. One beside a Dockerfile outside of the folder is packed as outerIgnore.
func ignoreFiles(dockerfile string) []string {
	return []string{cmp.Or(dockerfile, "Dockerfile") + ".dockerignore", ".dockerignore"}
}

// outerIgnore is where the archive has NAME.dockerignore of a Dockerfile that is not in the folder. It leaves itself
// out.
const outerIgnore = "Dockerfile.dockerignore"

// IsOuter tells whether a Dockerfile that is not in the folder has a .dockerignore of its own beside it.
func IsOuter(folder, name string) bool {
	_, err := os.Stat(filepath.Join(folder, name+".dockerignore"))
	return strings.HasPrefix(name, "../") && err == nil
}

func (p *packer) addOuter(name string) error {
	if !IsOuter(p.folder, name) {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(p.folder, name+".dockerignore"))
	if err != nil {
		return err
	}
	text = append(text, "\n"+outerIgnore+"\n"...)
	p.packed[outerIgnore] = true
	h := &tar.Header{Name: outerIgnore, Mode: 0o644, Size: int64(len(text)), ModTime: time.Unix(0, 0)}
	if err := p.WriteHeader(h); err != nil {
		return err
	}
	_, err = p.Write(text)
	return err
}

func readIgnore(folder, name string) (*patternmatcher.PatternMatcher, error) {
	for _, name := range ignoreFiles(name) {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		patterns, err := ignorefile.ReadAll(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for i, one := range patterns {
			if _, err := patternmatcher.New([]string{one}); err != nil {
				return nil, apperr.New(apperr.InvalidArgument,
					"%s:%d: invalid pattern %q.",
					"Correct the pattern.", filepath.Join(folder, name), dockerfile.PatternLine(text, i+1), one)
			}
		}
		return patternmatcher.New(patterns)
	}
	return patternmatcher.New(nil)
}

type packer struct {
	*tar.Writer
	folder  string
	always  []string // what is packed even if it is ignored
	ignored *patternmatcher.PatternMatcher
	parents map[string]patternmatcher.MatchInfo
	packed  map[string]bool
	inodes  map[[2]uint64]string // of files with several names
	left    int64                // bytes
}

func (p *packer) visit(path string, d fs.DirEntry, err error) error {
	if err != nil || path == p.folder {
		return err
	}
	name, err := filepath.Rel(p.folder, path)
	if err != nil {
		return err
	}
	skip, match, err := p.ignored.MatchesUsingParentResults(name, p.parents[filepath.Dir(name)])
	if err != nil {
		return err
	}
	if d.IsDir() {
		p.parents[name] = match
	}
	switch {
	case !skip || slices.Contains(p.always, name):
		return p.add(name)
	case d.IsDir() && !p.ignored.Exclusions() &&
		!slices.ContainsFunc(p.always, func(a string) bool { return strings.HasPrefix(a, name+"/") }):
		return fs.SkipDir
	}
	return nil
}

// add packs an entry, and before it the folders above that were ignored.
func (p *packer) add(name string) error {
	if p.packed[name] {
		return nil
	}
	p.packed[name] = true
	if err := p.add(filepath.Dir(name)); err != nil {
		return err
	}
	path := filepath.Join(p.folder, name)
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	link := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if link, err = os.Readlink(path); err != nil {
			return err
		}
	}
	var h *tar.Header
	if info.Mode()&fs.ModeSocket != 0 { // docker build sends an empty file
		h = &tar.Header{Typeflag: tar.TypeReg, Mode: int64(info.Mode().Perm())}
	} else if h, err = tar.FileInfoHeader(info, link); err != nil {
		return err
	}
	if info.Mode().IsRegular() || info.IsDir() {
		h.PAXRecords = dockerfile.Attributes(path)
	}
	if h.Name = name; info.IsDir() {
		h.Name += "/"
	}
	h.Uid, h.Gid, h.Uname, h.Gname = 0, 0, "", ""
	h.ModTime = info.ModTime().Truncate(time.Second) // as tar does; package tar would round
	if st := info.Sys().(*syscall.Stat_t); info.Mode().IsRegular() && st.Nlink > 1 {
		at := [2]uint64{st.Dev, st.Ino}
		if other, ok := p.inodes[at]; ok {
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, other, 0
			return p.WriteHeader(h)
		}
		p.inodes[at] = name
	}
	if p.left -= h.Size; p.left < 0 {
		return apperr.New(apperr.TooLarge, "%s is too large for a build context.",
			"List files that the build does not need in .dockerignore.", p.folder)
	}
	if err := p.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
		return err
	}
	return p.content(path)
}

func (p *packer) content(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(p.Writer, f)
	return err
}
