package main

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"net/http"

	"toaster.do/lib/buildcontext"
)

// sendMany sends files as a tar archive whose entries are named by their SHA-256.
func (c *client) sendMany(ctx context.Context, t *buildcontext.Tree, batch []blob, bar *bar) error {
	size := int64(2 * 512) // the archive's end
	for _, b := range batch {
		size += 512 + (b.size+511)/512*512
	}
	_, err := c.do(ctx, call{method: http.MethodPost, path: "/jobs/blobs", kind: "application/x-tar", size: size,
		body: func() (io.ReadCloser, error) {
			r, w := io.Pipe()
			counting := bar.body(r)
			go func() { w.CloseWithError(writeBlobs(w, t, batch)) }()
			return counting, nil
		}})
	return unfit(ctx, t, batch, err)
}

func writeBlobs(w io.Writer, t *buildcontext.Tree, batch []blob) error {
	archive := tar.NewWriter(w)
	for _, b := range batch {
		if err := archive.WriteHeader(&tar.Header{Name: b.sum, Size: b.size, Mode: 0o644,
			Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		f, err := openBlob(t, b, 0)
		if err != nil {
			return err
		}
		_, err = io.CopyN(archive, f, b.size)
		f.Close()
		if err != nil {
			return err
		}
	}
	return archive.Close()
}

// progress is what a site has of a large file.
type progress struct {
	Complete bool  `json:"complete"`
	Have     int64 `json:"have"`
}

// sendOne sends a file: a large one in parts, of which those count that the site has already.
func (c *client) sendOne(ctx context.Context, t *buildcontext.Tree, b blob, bar *bar) error {
	path := "/jobs/blobs/" + b.sum
	if b.size <= batchBytes {
		_, err := c.do(ctx, call{method: http.MethodPut, path: path, kind: "application/octet-stream", size: b.size,
			body: func() (io.ReadCloser, error) {
				f, err := openBlob(t, b, 0)
				if err != nil {
					return nil, err
				}
				return bar.body(f), nil
			}})
		return unfit(ctx, t, []blob{b}, err)
	}
	counted, before := int64(0), int64(-1)
	err := c.try(ctx, func(ctx context.Context) error {
		at, err := c.part(ctx, path, call{header: http.Header{"Content-Range": {fmt.Sprintf("bytes */%d", b.size)}},
			body: bytesBody(nil)})
		for err == nil && !at.Complete {
			bar.add(at.Have - counted)
			counted = at.Have
			n := min(batchBytes, b.size-at.Have)
			if n <= 0 {
				return failed(exitFailed, "", "the site has more of a file than was sent")
			}
			var next progress
			next, err = c.part(ctx, path, call{size: n,
				header: http.Header{"Content-Range": {fmt.Sprintf("bytes %d-%d/%d", at.Have, at.Have+n-1, b.size)}},
				body: func() (io.ReadCloser, error) {
					f, err := openBlob(t, b, at.Have)
					if err != nil {
						return nil, err
					}
					return &part{f, io.LimitReader(f, n)}, nil
				}})
			if err != nil && at.Have > before {
				before, err = at.Have, progressed{err}
			}
			at = next
		}
		return err
	})
	if err == nil {
		bar.add(b.size - counted)
	}
	return unfit(ctx, t, []blob{b}, err)
}

type part struct {
	io.Closer
	io.Reader
}

func (c *client) part(ctx context.Context, path string, k call) (at progress, err error) {
	k.method, k.path, k.kind = http.MethodPut, path, "application/octet-stream"
	a, err := c.once(ctx, k)
	if err == nil {
		err = a.decode(c, &at)
	}
	return at, err
}

// openBlob opens a file that has to be what it was when it was read.
func openBlob(t *buildcontext.Tree, b blob, offset int64) (io.ReadCloser, error) {
	f, err := t.Open(b.sum)
	if err != nil {
		return nil, changed(t, b.sum)
	}
	if s, ok := f.(io.Seeker); ok && offset > 0 {
		if _, err := s.Seek(offset, io.SeekStart); err != nil {
			f.Close()
			return nil, err
		}
	}
	return &exact{f, b.size - offset, changed(t, b.sum)}, nil
}

// exact is a file that must have as many bytes as are left; otherwise reading it is an error.
type exact struct {
	io.ReadCloser
	left    int64
	changed error
}

func (e *exact) Read(p []byte) (int, error) {
	n, err := e.ReadCloser.Read(p)
	if e.left -= int64(n); e.left < 0 || err == io.EOF && e.left > 0 {
		return 0, e.changed
	}
	return n, err
}

// unfit explains a refusal of files: they are not what they were when they were read.
func unfit(ctx context.Context, t *buildcontext.Tree, batch []blob, err error) error {
	var p *problem
	if !asProblem(err, &p) || !p.is("blob_digest") {
		return err
	}
	for _, b := range batch {
		if sum, err := sumFile(ctx, t.Path(b.sum)); err != nil || sum != b.sum {
			return changed(t, b.sum)
		}
	}
	return err
}

// changed is the error of a file that is not what it was when it was read.
func changed(t *buildcontext.Tree, sum string) error {
	return failed(exitRefused, "Run the command again when nothing writes to the folder.",
		"%s has changed while it was sent", t.Path(sum))
}
