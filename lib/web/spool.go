package web

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"os"
	"syscall"

	"toaster.do/lib/apperr"
)

// spooled is an upload in a file that has no name: whatever ends the process, nothing of it is left.
type spooled struct {
	*os.File
	size   int64
	sha256 [sha256.Size]byte
}

// spool reads a part to a file.
func (f *Form) spool(part *multipart.Part, limit Limit) error {
	name, file := part.FormName(), part.FileName()
	if err := f.first(name); err != nil {
		return err
	}
	to, err := nameless(limit.Spool)
	if err != nil {
		return &unreadable{err}
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(&careful{File: to, keeps: limit.FreeDisk}, h), io.LimitReader(part, limit.Most+1))
	var rest int64
	if err == nil && n > limit.Most {
		to.Truncate(0) // at once
		rest, err = io.Copy(io.Discard, part)
	}
	if n += rest; n > limit.Most {
		f.Lost[name] = lost(file, n)
	}
	keeps := err == nil && n > 0 && n <= limit.Most
	if keeps {
		f.Files[name] = File{Name: file, Spooled: &spooled{to, n, [sha256.Size]byte(h.Sum(nil))}}
		return nil
	}
	to.Close()
	tooLong := (*http.MaxBytesError)(nil)
	switch {
	case errors.As(err, &tooLong):
		return &unreadable{limit.exceeded(name, nil)}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &unreadable{apperr.Wrap(apperr.StorageFull, err, "The disk of the server is full. Nothing was saved.",
			"Try again later. If the problem persists, contact the administrator.").At(name)}
	case err != nil:
		return unread(err)
	case n > limit.Most:
		return limit.exceeded(name, nil)
	}
	return nil // nothing was chosen
}

// careful writes to a file as long as its disk keeps so many bytes.
type careful struct {
	*os.File
	keeps, left int64
}

// carefulBytes is how much is written between two looks at the disk.
const carefulBytes = 8 << 20

func (c *careful) Write(p []byte) (int, error) {
	if c.left -= int64(len(p)); c.left < 0 {
		var disk syscall.Statfs_t
		if err := syscall.Fstatfs(int(c.Fd()), &disk); err != nil {
			return 0, err
		}
		if int64(disk.Bavail)*disk.Bsize-carefulBytes < c.keeps {
			return 0, syscall.ENOSPC
		}
		c.left = carefulBytes
	}
	return c.File.Write(p)
}

// nameless makes a file without a name in a folder, which is made where it is not there.
func nameless(folder string) (*os.File, error) {
	err := os.MkdirAll(folder, 0o750)
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(folder, ".upload-*")
	if err == nil {
		err = os.Remove(f.Name())
	}
	return f, err
}

// Size is how many bytes the upload has.
func (f *File) Size() int64 {
	if f.Spooled != nil {
		return f.Spooled.size
	}
	return int64(len(f.Content))
}

// Reader reads the upload.
func (f *File) Reader() io.ReaderAt {
	if f.Spooled != nil {
		return f.Spooled.File
	}
	return bytes.NewReader(f.Content)
}

// sum is the upload's SHA-256.
func (f *File) sum() [sha256.Size]byte {
	if f.Spooled != nil {
		return f.Spooled.sha256
	}
	return sha256.Sum256(f.Content)
}

// unspooled is the upload in memory, for a draft; false: it is too large for one.
func (f *File) unspooled() (File, bool) {
	if f.Spooled == nil {
		return *f, true
	}
	if f.Size() > draftFile {
		return File{}, false
	}
	content := make([]byte, f.Size())
	_, err := f.Spooled.ReadAt(content, 0)
	return File{Name: f.Name, Content: content}, err == nil
}

// draftFile is the largest spooled upload that a draft keeps, bytes.
const draftFile = 1 << 20

// ofNobody are the fields of a form whose sender is not logged in: it is kept in memory, if at all.
func (f Fields) ofNobody() Fields {
	all := maps.Clone(f)
	for name, l := range all {
		if l.Spool != "" {
			l.Spool, l.Most = "", min(l.Most, draftFile)
			all[name] = l
		}
	}
	return all
}

// close gives up what was spooled.
func (f *Form) close() {
	for _, file := range f.Files {
		if file.Spooled != nil {
			file.Spooled.Close()
		}
	}
}
