package jenkinstest

import (
	"io"
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
	user  *User
	token bool       // the user gave an API token
	form  url.Values // the query
	body  []byte
	era   int64  // the life of the controller that the request came to
	after func() // what is left to do when the controller is no longer locked
}

// answer answers one request of a healthy controller.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, era int64) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	c := &call{s: s, w: w, r: r, era: era, form: r.URL.Query(), body: body}
	c.locked(func() {
		if c.authenticate() && c.checkCrumb() {
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
	c.checkEra()
	f()
}

// unlocked runs f while the controller does other things.
func (c *call) unlocked(f func()) {
	c.s.mu.Unlock()
	defer c.checkEra()
	defer c.s.mu.Lock()
	f()
}

func (c *call) checkEra() {
	if c.s.era.Load() != c.era {
		panic(http.ErrAbortHandler)
	}
}

// segments are the parts of the path, decoded one by one: an encoded slash does not part.
func (c *call) segments() (all []string) {
	p, below := strings.CutPrefix(c.r.URL.EscapedPath(), c.s.opt.Prefix)
	for part := range strings.SplitSeq(strings.TrimPrefix(path.Clean("/"+p), "/"), "/") {
		text, err := url.PathUnescape(part)
		if err != nil || !below {
			return nil
		}
		all = append(all, text)
	}
	return all
}

// route finds what a path means. It is called with the controller locked.
func (c *call) route() {
	path := c.segments()
	if len(path) == 0 {
		c.notFound()
		return
	}
	if !c.require(Read) {
		return
	}
	switch rest := path[1:]; path[0] {
	case "api":
		c.api(path, c.s.rootFields())
	case "crumbIssuer":
		c.crumbIssuer(rest)
	case "whoAmI":
		c.api(rest, fields{"_class": "hudson.security.WhoAmI", "anonymous": false, "name": c.user.Name})
	case "createItem":
		c.createItem()
	case "createView":
		c.createView()
	case "job":
		c.routeJob(rest)
	case "view":
		c.routeView(rest)
	case "queue":
		c.routeQueue(rest)
	case "computer":
		c.api(rest, c.s.computerFields())
	case "label":
		c.routeLabel(rest)
	case "quietDown":
		if c.post(Administer) {
			c.s.quieting = true
			c.redirect("/")
		}
	default:
		c.notFound()
	}
}

func (s *Server) rootFields() fields {
	return fields{"_class": "hudson.model.Hudson", "mode": "NORMAL", "quietingDown": s.quieting,
		"jobs": func() any { return list(s.sortedJobs(), s.jobFields) }}
}

func (c *call) text(contentType, body string) {
	c.w.Header().Set("Content-Type", contentType)
	io.WriteString(c.w, body)
}
