package look

import (
	"io"
	"math"
	"net/http"
	"os"
	"strconv"

	"toaster.do/lib/apperr"
	"toaster.do/lib/buildlog"
	"toaster.do/lib/engine"
	"toaster.do/lib/engine/reconcile"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

// log answers with a part of a build's log, from ?offset= on: X-Next-Offset is what to ask for next, X-More says
// that there is more to come. With ?whole=1 it answers with all that there is, as a file; with ?as=html, with whole
// lines as the build's page shows them.
func (d *handlers) log(w http.ResponseWriter, r *web.Request) error {
	s, err := d.open(r)
	if err != nil {
		return err
	}
	number, err := Number(r, s, false)
	if err != nil {
		return err
	}
	offset, err := offset(r.URL.Query().Get("offset"))
	if err != nil {
		return err
	}
	if r.URL.Query().Get("as") == "html" {
		return follow(w, r, s, number, offset)
	}
	if r.URL.Query().Get("whole") != "" {
		return wholeLog(w, r, s, number)
	}
	c, err := s.Log(r.Context(), r.Identity.User.ID, r.Param("id"), number, offset)
	if err != nil {
		return err
	}
	goesOn(w, c.Next, c.More)
	return r.Text(w, c.Text, "")
}

func goesOn(w http.ResponseWriter, next int64, more bool) {
	w.Header().Set("X-Next-Offset", strconv.FormatInt(next, 10))
	if more {
		w.Header().Set("X-More", "true")
	}
}

// follow answers with the next lines of a log for a page that shows what is before them.
func follow(w http.ResponseWriter, r *web.Request, s *reconcile.Reconciler, number int, offset int64) error {
	b, err := s.Build(r.Context(), r.Identity.User.ID, r.Param("id"), number)
	if err != nil {
		return err
	}
	window, err := buildlog.From(Reader(r, s, number), offset)
	if err != nil {
		return err
	}
	goesOn(w, window.Next, window.More)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	view := ViewOf(r, b)
	view.Style = r.URL.Query().Get("style")
	shown, style := view.HTML(window)
	w.Header().Set("X-Style", style)
	_, err = io.WriteString(w, string(shown))
	return err
}

func Reader(r *web.Request, s *reconcile.Reconciler, number int) buildlog.Read {
	return func(offset int64) (engine.Chunk, error) {
		return s.Log(r.Context(), r.Identity.User.ID, r.Param("id"), number, offset)
	}
}

func ViewOf(r *web.Request, b *store.Build) buildlog.View {
	return buildlog.View{Lang: r.Lang(), Job: r.To("/jobs/" + b.JobID), State: b.State, Closed: true}
}

// WindowOf is the part of a log that a build's page shows: from ?from= on, what is before ?to=, or else its end.
func WindowOf(r *web.Request, s *reconcile.Reconciler, number int) (w buildlog.Window, asked bool, err error) {
	read, q := Reader(r, s, number), r.URL.Query()
	switch {
	case q.Has("from"):
		from, err := offset(q.Get("from"))
		if err != nil {
			return w, true, err
		}
		w, err = buildlog.From(read, from)
		return w, true, err
	case q.Has("to"):
		to, err := offset(q.Get("to"))
		if err != nil {
			return w, true, err
		}
		w, err = buildlog.Until(read, to)
		return w, true, err
	}
	w, err = buildlog.End(read)
	return w, false, err
}

// wholeLog sends what there is of a log now. A program behind a web server can't break a connection off, so the log is
// read to its end before: what can't be is an error, and what breaks off after that is shorter than its length.
func wholeLog(w http.ResponseWriter, r *web.Request, s *reconcile.Reconciler, number int) error {
	log, err := s.WholeLog(r.Context(), r.Identity.User.ID, r.Param("id"), number)
	if err != nil {
		return err
	}
	defer log.Close()
	file, err := os.CreateTemp("", "toaster-log-")
	if err != nil {
		return apperr.Wrap(apperr.StorageFull, err, "The log can't be buffered while it is sent.",
			"Contact the administrator.")
	}
	defer file.Close()
	os.Remove(file.Name())
	size, err := io.Copy(file, log)
	if err != nil {
		return apperr.Wrap(apperr.Unavailable, err, "The log can't be read to its end.", "Try again later.")
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", web.Disposition("attachment", r.Param("id")+"-"+strconv.Itoa(number)+".log"))
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	_, err = io.Copy(w, file)
	return err
}

func offset(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n == math.MaxInt64 {
		return 0, apperr.New(apperr.InvalidArgument, "“offset” must be a number from X-Next-Offset, or 0.", "").At("offset")
	}
	return n, nil
}
