package jenkinstest

import (
	"encoding/xml"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// view is a list view: it lists its jobs by name, and takes others by a pattern.
type view struct {
	name    string
	config  string // config.xml, where one was sent
	names   map[string]bool
	pattern *regexp.Regexp
	saving  int // changes of names that are being written
}

type listView struct {
	XMLName xml.Name
	Name    string   `xml:"name"`
	Names   []string `xml:"jobNames>string"`
	Include string   `xml:"includeRegex"`
}

func (s *Server) view(name string) *view {
	for _, v := range s.views {
		if v.name == name {
			return v
		}
	}
	return nil
}

// load takes a view's config.xml. The pattern has to match a whole name.
func (v *view) load(body []byte) error {
	var l listView
	if err := xml.Unmarshal(xmlDeclaration.ReplaceAll(body, nil), &l); err != nil {
		return err
	}
	if l.XMLName.Local != "hudson.model.ListView" {
		return errors.New("no list view: " + l.XMLName.Local)
	}
	v.names, v.pattern, v.config = map[string]bool{}, nil, string(body)
	for _, n := range l.Names {
		v.names[strings.ToLower(n)] = true
	}
	if l.Include != "" {
		// As in Java a pattern that is none is stored, and takes nothing.
		v.pattern, _ = regexp.Compile("^(?:" + l.Include + ")$")
	}
	return nil
}

func (s *Server) jobsOf(v *view) (all []*job) {
	for _, j := range s.sortedJobs() {
		if v.names[strings.ToLower(j.name)] || v.pattern != nil && v.pattern.MatchString(j.name) {
			all = append(all, j)
		}
	}
	return all
}

func (s *Server) viewBean(v *view) *bean {
	return beanOf("hudson.model.ListView", is("description", nil),
		lazy("jobs", 1, func() any { return s.jobBeans(s.jobsOf(v)) }),
		deep("name", v.name), is("property", []*bean{}), deep("url", s.opt.RootURL+"view/"+escape(v.name)+"/"))
}

// createView makes a view, from XML or from a form that names its kind.
func (c *call) createView() {
	name := c.param("name")
	switch {
	case !c.postOnly() || !c.require(ViewCreate):
		return
	case name == "":
		c.failure("Query parameter 'name' is required")
		return
	case badName(name) != "":
		c.failure(badName(name))
		return
	case c.s.view(name) != nil:
		c.failure("A view already exists with the name “" + name + "”")
		return
	}
	v := &view{name: name, names: map[string]bool{}}
	if contentType := c.r.Header.Get("Content-Type"); strings.HasPrefix(contentType, "application/xml") || strings.HasPrefix(contentType, "text/xml") {
		if err := v.load(c.body); err != nil {
			c.oops(http.StatusInternalServerError)
			return
		}
		c.s.views = append(c.s.views, v)
		c.ok()
		return
	}
	if c.param("mode") != "hudson.model.ListView" {
		c.failure("No view type specified")
		return
	}
	c.s.views = append(c.s.views, v)
	c.redirect("/view/" + escape(name) + "/configure")
}

// viewAt answers what is below /view/.
func (c *call) viewAt(seg []string) {
	if len(seg) < 2 {
		c.notFound()
		return
	}
	if seg[0] == "all" && seg[1] == "api" {
		c.api(seg[1:], beanOf("hudson.model.AllView", is("description", nil), lazy("jobs", 1, func() any { return c.s.jobBeans(c.s.sortedJobs()) }), deep("name", "all"), is("property", []*bean{}), deep("url", c.s.opt.RootURL)))
		return
	}
	v := c.s.view(seg[0])
	// Who may see a job of it sees the view: hudson.security.AuthorizationStrategy.
	if v == nil || !c.user.may(ViewRead) && !c.user.may(ViewConfigure) && (!c.user.may(JobRead) || len(c.s.jobsOf(v)) == 0) {
		c.notFound()
		return
	}
	switch seg[1] {
	case "":
		c.html(v.name)
	case "api":
		c.api(seg[1:], c.s.viewBean(v))
	case "config.xml":
		c.viewConfig(v)
	case "addJobToView", "removeJobFromView":
		c.list(v, seg[1] == "addJobToView")
	case "doDelete":
		if c.postOnly() && c.require(ViewConfigure) {
			c.dropView(v)
		}
	case "job", "createItem":
		c.root(seg[1:], v)
	default:
		c.notFound()
	}
}

func (c *call) dropView(v *view) {
	for i, other := range c.s.views {
		if other == v {
			c.s.views = append(c.s.views[:i:i], c.s.views[i+1:]...)
			break
		}
	}
	c.redirect("/")
}

func (c *call) list(v *view, add bool) {
	name := c.param("name")
	switch {
	case !c.postOnly() || !c.require(ViewConfigure):
	case name == "":
		c.failure("Query parameter 'name' is required")
	case add && c.s.job(name) == nil:
		c.failure("Query parameter 'name' does not correspond to a known item")
	case add:
		if v.save(c, func() { v.names[strings.ToLower(name)] = true }) {
			c.ok()
		}
	default:
		if v.save(c, func() { delete(v.names, strings.ToLower(name)) }) {
			c.ok()
		}
	}
}

func (c *call) viewConfig(v *view) {
	switch c.r.Method {
	case "POST":
		if !c.require(ViewConfigure) {
			return
		}
		if err := v.load(c.body); err != nil {
			c.oops(http.StatusInternalServerError)
			return
		}
		c.ok()
	case "GET", "HEAD":
		c.w.Header().Set("Content-Type", "application/xml")
		c.w.Write([]byte(v.xml(c.s)))
	default:
		c.w.WriteHeader(http.StatusBadRequest)
	}
}

func (v *view) xml(s *Server) string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.1\" encoding=\"UTF-8\"?>\n<hudson.model.ListView>\n  <name>")
	xml.EscapeText(&b, []byte(v.name))
	b.WriteString("</name>\n  <filterExecutors>false</filterExecutors>\n  <filterQueue>false</filterQueue>\n  <properties class=\"hudson.model.View$PropertyList\"/>\n  <jobNames>\n    <comparator class=\"hudson.util.CaseInsensitiveComparator\"/>\n")
	for _, j := range s.sortedJobs() {
		if v.names[strings.ToLower(j.name)] {
			b.WriteString("    <string>")
			xml.EscapeText(&b, []byte(j.name))
			b.WriteString("</string>\n")
		}
	}
	b.WriteString("  </jobNames>\n  <jobFilters/>\n  <columns/>\n")
	if v.pattern != nil {
		b.WriteString("  <includeRegex>")
		text := v.pattern.String()
		xml.EscapeText(&b, []byte(text[len("^(?:"):len(text)-len(")$")]))
		b.WriteString("</includeRegex>\n")
	}
	b.WriteString("  <recurse>false</recurse>\n</hudson.model.ListView>")
	return b.String()
}

// save changes the list of names. Two at once can fail, where the switch is on; the change is made all the same.
func (v *view) save(c *call, change func()) bool {
	change()
	if v.pattern != nil || !c.s.fault.racingViews() {
		return true
	}
	v.saving++
	c.unlocked(func() { time.Sleep(5 * time.Millisecond) })
	if v.saving--; v.saving > 0 {
		c.oops(http.StatusInternalServerError)
		return false
	}
	return true
}
