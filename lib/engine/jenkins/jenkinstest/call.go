package jenkinstest

import (
	"compress/gzip"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// call is one request.
type call struct {
	s     *Server
	w     http.ResponseWriter
	r     *http.Request
	user  *User // nil: anonymous
	token bool  // the user gave an API token
	form  url.Values
	body  []byte
	era   int64  // the life of the controller that the request came to
	after func() // what is left to do when the controller is no longer locked
}

// The longest URL that the servlet container takes.
const longestURL = 8 << 10

// answer answers one request of a healthy controller.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, era int64) {
	c := &call{s: s, w: w, r: r, era: era}
	if len(r.RequestURI) > longestURL {
		w.Header().Set("Content-Type", "text/html;charset=iso-8859-1")
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusRequestURITooLong)
		io.WriteString(w, "<h1>Bad Message 414</h1><pre>reason: URI Too Long</pre>")
		return
	}
	if r.Method == "TRACE" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if err := c.read(); err != nil {
		return // the client went away
	}
	c.locked(func() {
		if c.authenticate() && c.crumbed() {
			c.route()
		}
	})
	if c.after != nil {
		c.after()
	}
}

// locked runs f with the controller locked, if it is still the one that the request came to.
func (c *call) locked(f func()) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.stillThere()
	f()
}

// unlocked runs f while the controller does other things.
func (c *call) unlocked(f func()) {
	c.s.mu.Unlock()
	defer c.stillThere()
	defer c.s.mu.Lock()
	f()
}

func (c *call) stillThere() {
	if c.s.era.Load() != c.era {
		panic(http.ErrAbortHandler)
	}
}

// read takes the query, and the body: as a form, or for what reads XML.
func (c *call) read() error {
	c.form = c.r.URL.Query()
	body, err := io.ReadAll(c.r.Body)
	if err != nil {
		return err
	}
	if kind, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type")); kind == "application/x-www-form-urlencoded" && c.r.Method == "POST" {
		if values, err := url.ParseQuery(string(body)); err == nil {
			for k, v := range values {
				c.form[k] = append(c.form[k], v...)
			}
		}
	}
	c.body = body
	return nil
}

func (c *call) param(name string) string { return c.form.Get(name) }

// segments are the parts of the path, decoded one by one: an encoded slash does not part.
func (c *call) segments() (seg []string, ok bool) {
	p := c.r.URL.EscapedPath()
	if prefix := strings.TrimSuffix(c.s.opt.Prefix, "/"); prefix != "" {
		rest, found := strings.CutPrefix(p, prefix)
		if !found || rest != "" && rest[0] != '/' {
			return nil, false
		}
		p = rest
	}
	slash := strings.HasSuffix(p, "/")
	p = path.Clean("/" + p)
	for _, part := range strings.Split(strings.TrimPrefix(p, "/"), "/") {
		part, _, _ = strings.Cut(part, ";")
		text, err := url.PathUnescape(part)
		if err != nil {
			return nil, false
		}
		seg = append(seg, text)
	}
	if slash && p != "/" {
		seg = append(seg, "")
	}
	return seg, true
}

// api answers "api/json" of an object.
func (c *call) api(seg []string, object *bean) {
	if len(seg) < 2 || seg[0] != "api" || len(seg) > 2 && seg[2] != "" {
		c.notFound()
		return
	}
	t := depthTree(0)
	if c.form.Has("tree") {
		var err error
		if t, err = parseTree(c.param("tree")); err != nil {
			c.w.Header().Set("Connection", "close")
			c.oops(http.StatusInternalServerError)
			return
		}
	} else if d := c.param("depth"); len(d) == 1 && d[0] >= '0' && d[0] <= '9' {
		t = depthTree(int(d[0] - '0'))
	}
	c.w.Header().Set("X-Jenkins", Version)
	switch seg[1] {
	case "json":
		var b strings.Builder
		writeJSON(&b, object, t)
		c.text("application/json;charset=utf-8", b.String())
	case "xml":
		var b strings.Builder
		writeXML(&b, object, t)
		c.text("application/xml;charset=UTF-8", b.String())
	default:
		c.notFound()
	}
}

// text answers with a text, packed where the client takes that.
func (c *call) text(contentType, body string) {
	h := c.w.Header()
	h.Set("Content-Type", contentType)
	if len(body) < 256 || !strings.Contains(c.r.Header.Get("Accept-Encoding"), "gzip") {
		io.WriteString(c.w, body)
		return
	}
	h.Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(c.w)
	io.WriteString(z, body)
	z.Close()
}
