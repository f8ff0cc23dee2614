package main

import (
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"

	"toaster.do/lib/app"
	"toaster.do/lib/apperr"
	"toaster.do/lib/buildcontext"
	"toaster.do/lib/contexts"
	"toaster.do/lib/web"
)

// Build contexts of any size: a program sends the manifest, then the files that are missing, then makes a job of the
// context's digest.

// contextLimits says what a build context may have.
func (j *handlers) contextLimits(w http.ResponseWriter, r *web.Request) error {
	l := r.Site.Config.Limits
	return r.Answer(w, http.StatusOK, map[string]any{"max_bytes": int64(l.Context), "max_entries": l.ContextEntries})
}

// declare takes a manifest, and answers which files are to be sent.
func (j *handlers) declare(w http.ResponseWriter, r *web.Request) error {
	defer sparing()()
	store := app.Contexts(r.Site.Config)
	m, err := contexts.ReadJSON(r.Body, store.Limits, func(digest string) (*buildcontext.Manifest, error) {
		m, _, err := store.Get(r.Identity.User.ID, digest)
		return m, err
	})
	if err != nil {
		return err
	}
	digest, missing, err := store.Declare(r.Identity.User.ID, m)
	if err != nil {
		return err
	}
	return r.Answer(w, http.StatusOK, declared{"sha256:" + digest, append([]string{}, missing...)})
}

// collecting counts the requests of this process that collect garbage sooner.
var collecting struct {
	sync.Mutex
	requests, before int
}

// sparing has garbage collected sooner, as a manifest may be large, until the function that it returns is called.
func sparing() (end func()) {
	c := &collecting
	c.Lock()
	defer c.Unlock()
	if c.requests++; c.requests == 1 {
		c.before = debug.SetGCPercent(25)
	}
	return func() {
		c.Lock()
		defer c.Unlock()
		if c.requests--; c.requests == 0 {
			debug.SetGCPercent(c.before)
		}
	}
}

type declared struct {
	Context string   `json:"context"`
	Missing []string `json:"missing"` // SHA-256 of files
}

// putBlobs takes files in a tar archive, whose entries are named by their SHA-256.
func (j *handlers) putBlobs(w http.ResponseWriter, r *web.Request) error {
	n, err := app.Contexts(r.Site.Config).PutMany(r.Identity.User.ID, r.Body)
	if err != nil {
		return err
	}
	return r.Answer(w, http.StatusCreated, map[string]any{"stored": n})
}

// putBlob takes a file, or with Content-Range a part of one: the answer says how much of it is there.
func (j *handlers) putBlob(w http.ResponseWriter, r *web.Request) error {
	sum := r.Param("sha256")
	if !buildcontext.IsSHA256(sum) {
		return apperr.New(apperr.NotFound, "This is not the SHA-256 of a file.", "Send 64 lower-case hexadecimal digits.")
	}
	offset, total, err := contentRange(r.Header.Get("Content-Range"))
	if err != nil {
		return err
	}
	defer io.Copy(io.Discard, io.LimitReader(r.Body, 16<<20)) // so that its sender sees the answer
	whole, have, err := app.Contexts(r.Site.Config).Put(r.Identity.User.ID, sum, r.Body, offset, total)
	if err != nil {
		return err
	}
	status := http.StatusAccepted
	if whole {
		status = http.StatusCreated
	}
	return r.Answer(w, status, map[string]any{"sha256": sum, "complete": whole, "have": have})
}

// contentRange reads the header of a PUT (RFC 9110, 14.4): where its bytes begin, and how many the file has in all; -1:
// unknown. "bytes */N" sends none: offset is -1.
func contentRange(header string) (offset, total int64, err error) {
	if header == "" {
		return 0, -1, nil
	}
	place, size, ok := strings.Cut(strings.TrimPrefix(header, "bytes "), "/")
	if _, err = fmt.Sscan(size, &total); err == nil {
		if offset = -1; place != "*" {
			_, err = fmt.Sscanf(place, "%d-", &offset)
		}
	}
	if err != nil || !ok || total < 0 || offset < -1 {
		return 0, 0, apperr.Wrap(apperr.InvalidArgument, err, "The header Content-Range can't be read.",
			"Send “bytes FIRST-LAST/TOTAL”.")
	}
	return offset, total, nil
}
