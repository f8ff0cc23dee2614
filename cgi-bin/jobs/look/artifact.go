package look

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/engine/reconcile"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

// artifact sends a file that a build left, or the part of it that Range asks for, never whole in memory. It is a
// stranger's file: the browser saves it and shows nothing of it.
func (d *handlers) artifact(w http.ResponseWriter, r *web.Request) error {
	s, err := d.open(r)
	if err != nil {
		return err
	}
	number, err := Number(r, s, true)
	if err != nil {
		return err
	}
	a, modified, err := d.find(r, s, number)
	if err != nil {
		return err
	}
	content := &stream{size: a.Size, open: func(start int64) (*engine.Stream, error) {
		return s.Open(context.WithoutCancel(r.Context()), r.Identity.User.ID, r.Param("id"), number, a.Path,
			engine.Range{Start: start})
	}}
	defer content.Close()
	// Opened before the answer begins: an engine that is away can still be told.
	if r.Method == http.MethodGet {
		if err := content.reach(); err != nil {
			return err
		}
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", web.Disposition("attachment", path.Base(a.Path)))
	h.Set("Cache-Control", "private, no-cache")
	if a.SHA256 != "" {
		h.Set("ETag", `"`+a.SHA256+`"`)
	}
	if r.Method == http.MethodGet && r.SendFile(w, content.body.File) {
		return nil
	}
	return web.SendContent(w, r, modified, content)
}

// find returns the artifact that the path names, and when it was made.
func (d *handlers) find(r *web.Request, s *reconcile.Reconciler, number int) (a store.Artifact, modified time.Time,
	err error) {
	ctx, owner, id := r.Context(), r.Identity.User.ID, r.Param("id")
	b, err := s.Build(ctx, owner, id, number)
	if err != nil {
		return a, modified, err
	}
	if gone := b.Gone(); gone != nil {
		return a, modified, gone
	}
	list, err := s.Artifacts(ctx, owner, id, number)
	if err != nil {
		return a, modified, err
	}
	for _, a := range list {
		if a.Path == r.Param("path") {
			return a, b.EndedAt, nil
		}
	}
	return a, modified, apperr.New(apperr.NotFound, "This build has no such file.",
		"See the page of the build for its files.")
}

// stream is an artifact for http.ServeContent: seeking costs nothing until something is read.
type stream struct {
	size, at int64
	open     func(start int64) (*engine.Stream, error)
	body     *engine.Stream
	from     int64 // where body stands
}

func (s *stream) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.at
	case io.SeekEnd:
		offset += s.size
	}
	if offset < 0 || offset > s.size {
		return 0, errors.New("outside of the file")
	}
	s.at = offset
	return offset, nil
}

// reach opens the file where it is to be read.
func (s *stream) reach() error {
	if s.body != nil && s.from == s.at {
		return nil
	}
	s.Close()
	body, err := s.open(s.at)
	if err != nil {
		return err
	}
	s.body, s.from = body, s.at
	return nil
}

func (s *stream) Read(p []byte) (int, error) {
	if s.at >= s.size {
		return 0, io.EOF
	}
	if err := s.reach(); err != nil {
		return 0, err
	}
	n, err := s.body.Read(p)
	s.at, s.from = s.at+int64(n), s.from+int64(n)
	if err == io.EOF && s.at < s.size {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (s *stream) Close() {
	if s.body != nil {
		s.body.Close()
		s.body = nil
	}
}
