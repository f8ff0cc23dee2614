package gitsource

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"toaster.do/lib/apperr"
)

// Archive is the fetched folder as a build context.
type Archive struct {
	Entries int
	Bytes   int64    // of the files
	LFS     []string // the first files that are pointers of Git LFS, whose contents were not fetched
}

// most pointers are named.
const mostPointers = 5

// Archive writes the fetched folder as .tar.gz: equal files give equal bytes, whoever fetched them and when. No link in
// it is followed. More than the limits is TooLarge.
func (r *Result) Archive(w io.Writer, folder string, maxBytes int64, maxEntries int) (a Archive, err error) {
	z := gzip.NewWriter(w)
	t := tar.NewWriter(z)
	root, err := enter(r.tree, folder)
	if err != nil {
		return a, err
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		if a.Entries++; a.Entries > maxEntries {
			return apperr.New(apperr.TooLarge, "The repository has more than %d files and folders.",
				"Use a folder of it, or ask the administrator for a higher limit.", maxEntries)
		}
		info, err := root.Lstat(name)
		if err != nil {
			return err
		}
		return a.add(t, root, name, info, maxBytes)
	})
	return a, errors.Join(err, t.Close(), z.Close())
}

// enter opens a folder, no part of which is a link.
func enter(root *os.Root, folder string) (*os.Root, error) {
	at := "."
	for _, part := range strings.Split(strings.Trim(folder, "/"), "/") {
		if part == "" {
			continue
		}
		at = path.Join(at, part)
		if info, err := root.Lstat(at); err != nil || !info.IsDir() {
			return nil, noFolder(folder)
		}
	}
	return root.OpenRoot(at)
}

func noFolder(folder string) error {
	return apperr.New(apperr.NotFound, "The repository has no folder %s there.",
		"Correct the folder, or the branch.", folder).At("git_folder")
}

func (a *Archive) add(t *tar.Writer, root *os.Root, name string, info fs.FileInfo, maxBytes int64) error {
	h := &tar.Header{Name: name, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	switch {
	case info.IsDir():
		h.Typeflag, h.Name, h.Mode = tar.TypeDir, name+"/", 0o755
	case info.Mode()&fs.ModeSymlink != 0:
		to, err := root.Readlink(name)
		if err != nil {
			return err
		}
		h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, to, 0o777
	case info.Mode().IsRegular():
		h.Typeflag, h.Size = tar.TypeReg, info.Size()
		if info.Mode()&0o100 != 0 {
			h.Mode = 0o755
		}
	default: // git makes nothing else
		return nil
	}
	if a.Bytes += h.Size; a.Bytes > maxBytes {
		return tooLarge(maxBytes)
	}
	if err := t.WriteHeader(h); err != nil || h.Typeflag != tar.TypeReg {
		return err
	}
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var text io.Reader = f
	if h.Size < 1024 {
		small, err := io.ReadAll(f)
		if err != nil {
			return err
		}
		// https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
		if bytes.HasPrefix(small, []byte("version https://git-lfs.github.com/spec/v1\n")) && len(a.LFS) < mostPointers {
			a.LFS = append(a.LFS, name)
		}
		text = bytes.NewReader(small)
	}
	_, err = io.CopyN(t, text, h.Size)
	return err
}

func tooLarge(maxBytes int64) error {
	return apperr.New(apperr.TooLarge, "The repository is larger than the limit of %d MiB.",
		"Use a folder of it, or ask the administrator for a higher limit.", maxBytes>>20)
}
