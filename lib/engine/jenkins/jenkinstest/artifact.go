package jenkinstest

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// artifact answers what is below /artifact of a build.
func (c *call) artifact(b *run, self string, seg []string) {
	if len(seg) == 0 {
		c.redirect(self + "artifact/")
		return
	}
	rel := strings.Join(seg, "/")
	if strings.Contains(strings.ReplaceAll("/"+rel+"/", `\`, "/"), "/../") {
		c.jetty(http.StatusBadRequest, "Bad Request")
		return
	}
	path := filepath.Join(b.dir, "archive", rel)
	info, err := os.Lstat(path)
	switch {
	case rel == "" || err == nil && info.IsDir() && strings.HasSuffix(rel, "/"):
		c.html("Artifacts of " + b.name() + " : /" + rel)
	case err == nil && info.IsDir():
		c.redirect(self + "artifact/" + rel + "/")
	case err != nil || !info.Mode().IsRegular() || viaLink(filepath.Join(b.dir, "archive"), rel):
		c.notFound()
	default:
		c.sendFile(path, info)
	}
}

// viaLink tells whether a part of the path is a symbolic link.
func viaLink(root, rel string) bool {
	for _, part := range strings.Split(rel, "/") {
		root = filepath.Join(root, part)
		if info, err := os.Lstat(root); err != nil || info.Mode()&os.ModeSymlink != 0 {
			return true
		}
	}
	return false
}

var oneRange = regexp.MustCompile(`^bytes=(\d+)-(\d*)$`)

// sendFile streams a file, or the part that Jenkins understands; it does so without holding the controller.
func (c *call) sendFile(path string, info os.FileInfo) {
	h := c.w.Header()
	for _, name := range []string{"Content-Security-Policy", "X-WebKit-CSP", "X-Content-Security-Policy"} {
		h.Set(name, "sandbox; default-src 'none'; img-src 'self'; style-src 'self';")
	}
	modified := info.ModTime().UTC().Truncate(time.Second)
	if since, err := http.ParseTime(c.r.Header.Get("If-Modified-Since")); err == nil && !modified.After(since) {
		c.w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Last-Modified", modified.Format(http.TimeFormat))
	h.Set("Accept-Ranges", "bytes")
	start, length, status := int64(0), info.Size(), http.StatusOK
	if m := oneRange.FindStringSubmatch(c.r.Header.Get("Range")); m != nil {
		from, _ := strconv.ParseInt(m[1], 10, 64)
		to, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil || to >= info.Size() {
			to = info.Size() - 1
		}
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, info.Size()))
		// What ends before it begins is an empty part; only what lies beyond the end can't be skipped to.
		if from > info.Size() || from > to+1 {
			c.oops(http.StatusInternalServerError)
			return
		}
		start, length, status = from, to-from+1, http.StatusPartialContent
	}
	h.Set("Content-Type", contentType(path))
	h.Set("Content-Length", strconv.FormatInt(length, 10))
	c.after = func() {
		f, err := os.Open(path)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer f.Close()
		f.Seek(start, io.SeekStart)
		c.w.WriteHeader(status)
		if c.r.Method != "HEAD" {
			io.CopyN(c.w, f, length)
		}
	}
}

// contentType knows the few endings that tests use; Jetty has its own table.
func contentType(path string) string {
	switch ext := filepath.Ext(path); ext {
	case ".txt":
		return "text/plain"
	case ".html", ".json", ".xml", ".png", ".zip", ".tar", ".gz":
		kind, _, _ := mime.ParseMediaType(mime.TypeByExtension(ext))
		if kind != "" {
			return kind
		}
	}
	return "application/octet-stream"
}
