package web

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/fcgi"
	"os"
	"strings"
	"time"

	"toaster.do/lib/apperr"
)

// guard sets the headers that every answer carries. Pages load nothing but their own site's style, scripts and
// pictures; nobody may frame them.
func guard(h http.Header, id string) {
	h.Set("X-Request-Id", id)
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "+
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// response remembers what was answered, and keeps the body of a HEAD's answer back.
type response struct {
	http.ResponseWriter
	head   bool
	status int
	bytes  int64
	as     int    // the status to answer instead of 200; 0: that
	copy   []byte // of the body, where it isn't nil
}

func (w *response) WriteHeader(status int) {
	if status == http.StatusOK && w.as != 0 {
		status = w.as
	}
	if w.status == 0 {
		w.status = status
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *response) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.head {
		return len(b), nil
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	if w.copy != nil {
		w.copy = append(w.copy, b...)
	}
	return n, err
}

// largePart is how much of a download goes to the server at once: the less often the two wait for each other, the
// faster it is.
const largePart = 256 << 10

// ReadFrom sends all of src.
func (w *response) ReadFrom(src io.Reader) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{w}, src, make([]byte, largePart))
}

// SendContent answers with a file, or the part of it that Range asks for, with the headers that are set. One range is
// what downloads that go on need; several would open the file again for each. It returns why the file could not be read
// to its end, which the one who asked sees by its length.
func SendContent(w http.ResponseWriter, r *Request, modified time.Time, content io.ReadSeeker) error {
	if strings.Contains(r.Header.Get("Range"), ",") {
		r.Header.Del("Range")
	}
	watched := &watchedContent{ReadSeeker: content}
	http.ServeContent(w, r.Request, "", modified, watched)
	return watched.err
}

// watchedContent remembers why reading has failed.
type watchedContent struct {
	io.ReadSeeker
	err error
}

func (c *watchedContent) Read(p []byte) (int, error) {
	n, err := c.ReadSeeker.Read(p)
	if err != io.EOF {
		c.err = err
	}
	return n, err
}

// sends is what a web server's snippet sets where it sends the files of a folder itself, when an answer names one
// (X-Sendfile).
const sends = "TOASTER_SENDFILE"

// SendFile leaves it to the web server to send a file of this host, with the headers that are set, and to answer for
// Range and the like. It is false, and nothing is answered, where the server doesn't do that, or not for this file.
func (r *Request) SendFile(w http.ResponseWriter, file string) bool {
	folder := r.serverVariable(sends)
	if folder == "" || !strings.HasPrefix(file, strings.TrimRight(folder, "/")+"/") || !plain(file) {
		return false
	}
	w.Header().Set("X-Sendfile", file)
	w.Header().Set("Accept-Ranges", "bytes") // of Apache
	w.WriteHeader(http.StatusOK)
	return true
}

// plain tells whether every server takes a file's name as it is. (lighttpd unescapes it, Apache's mod_xsendfile
// doesn't.)
func plain(name string) bool {
	return !strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("/._-+~@=,", c)
	})
}

// serverVariable is what the web server's snippet has set in the environment of its programs.
func (r *Request) serverVariable(name string) string {
	if r.app.fast {
		return fcgi.ProcessEnv(r.Request)[name]
	}
	return os.Getenv(name)
}

// line writes the log's line about a request, the only one, also where it failed. slog quotes what came from outside: a
// line can't be forged.
func (a *App) line(r *Request, w *response, took time.Duration) {
	attrs := []slog.Attr{
		slog.String("request", r.ID), slog.String("method", r.Method), slog.String("program", a.Program),
		slog.String("path", loggable(a.Routes, r.path)),
		slog.Int("status", w.status), slog.Int64("bytes", w.bytes), slog.Duration("took", took.Round(time.Microsecond)),
	}
	if r.route != nil {
		attrs = append(attrs, slog.String("route", r.route.Path))
	}
	if p := r.Identity.User; p != nil {
		attrs = append(attrs, slog.Int64("person", p.ID))
	}
	level := slog.LevelInfo
	if r.err != nil {
		attrs = append(attrs, slog.String("error", r.err.Error()))
		if Status(r.err) >= 500 {
			level = slog.LevelError
			if _, advice, ok := strings.Cut(apperr.Of(r.err).Advice.String(), "Administrator: "); ok {
				attrs = append(attrs, slog.String("advice", advice))
			}
		}
	}
	a.logger().LogAttrs(r.Context(), level, "request", attrs...)
}
