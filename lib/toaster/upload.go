package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"toaster.do/lib/buildcontext"
)

// uploads is how many files are sent at once.
const uploads = 4

// upload sends the files that the site lacks.
func (w *world) upload(ctx context.Context, c *client, t *buildcontext.Tree, missing []string) error {
	sizes := map[string]int64{}
	for i := range t.Entries {
		if e := &t.Entries[i]; e.SHA256 != "" {
			sizes[e.SHA256] = e.Size
		}
	}
	total := int64(0)
	for _, sum := range missing {
		total += sizes[sum]
	}
	w.event("upload", map[string]any{"files": len(missing), "bytes": total})
	if len(missing) == 0 {
		return nil
	}
	w.note("Sending %s, %s", count(len(missing), "file"), buildcontext.Bytes(total))
	bar := w.bar("Sending", total)
	defer bar.end()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group sync.WaitGroup
	var lock sync.Mutex
	var first error
	next := make(chan string)
	for range min(uploads, len(missing)) {
		group.Go(func() {
			for sum := range next {
				err := w.sendBlob(ctx, c, t, sum, sizes[sum], bar)
				if err != nil {
					lock.Lock()
					if first == nil {
						first = err
					}
					lock.Unlock()
					cancel()
				}
			}
		})
	}
	for _, sum := range missing {
		if _, ok := sizes[sum]; !ok {
			first = errors.New("the site asks for a file that is not in the context")
			cancel()
		}
		if ctx.Err() != nil {
			break
		}
		next <- sum
	}
	close(next)
	group.Wait()
	return first
}

// sendBlob sends one file. The site compares its SHA-256.
func (w *world) sendBlob(ctx context.Context, c *client, t *buildcontext.Tree, sum string, size int64, bar *bar) error {
	_, err := c.do(ctx, call{method: http.MethodPut, path: "/jobs/blobs/" + sum, kind: "application/octet-stream", size: size,
		body: func() (io.ReadCloser, error) {
			f, err := t.Open(sum)
			if err != nil {
				return nil, changed(t, sum)
			}
			return bar.body(&exact{f, size, changed(t, sum)}), nil
		}})
	var p *problem
	if asProblem(err, &p) && (p.Status == http.StatusUnprocessableEntity || p.Status == http.StatusBadRequest) {
		return changed(t, sum)
	}
	return err
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

// changed is the error of a file that is not what it was when it was read.
func changed(t *buildcontext.Tree, sum string) error {
	return failed(exitRefused, "Run the command again when nothing writes to the folder.",
		"%s has changed while it was sent", t.Path(sum))
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
