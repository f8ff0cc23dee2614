package jenkinstest

import (
	"encoding/xml"
	"html"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// view is a list view: it lists its jobs by name, and takes others by a pattern.
type view struct {
	name    string
	names   map[string]bool // in lower case
	pattern string
	saving  int // changes of names that are being written
}

func (s *Server) view(name string) *view {
	for _, v := range s.views {
		if v.name == name {
			return v
		}
	}
	return nil
}

func (s *Server) jobsOf(v *view) []*job {
	pattern, err := regexp.Compile("^(?:" + v.pattern + ")$") // as in Java one that is none takes nothing
	return slices.DeleteFunc(s.sortedJobs(), func(j *job) bool {
		return !v.names[strings.ToLower(j.name)] && (err != nil || !pattern.MatchString(j.name))
	})
}

// createView makes a view from XML.
func (c *call) createView() {
	if !c.post(ViewCreate) {
		return
	}
	name := c.form.Get("name")
	if c.s.view(name) != nil {
		c.failure("A view already exists with the name “" + name + "”")
		return
	}
	var l struct {
		XMLName xml.Name `xml:"hudson.model.ListView"`
		Include string   `xml:"includeRegex"`
	}
	if err := xml.Unmarshal(xmlDeclaration.ReplaceAll(c.body, nil), &l); err != nil {
		c.oops(http.StatusInternalServerError)
		return
	}
	c.s.views = append(c.s.views, &view{name: name, names: map[string]bool{}, pattern: l.Include})
}

// routeView answers what is below /view/. Who may see a job of a view sees the view:
// hudson.security.AuthorizationStrategy.
func (c *call) routeView(path []string) {
	v := c.s.view(path[0])
	if v == nil || len(path) < 2 || !c.user.may(ViewRead) && !c.user.may(ViewConfigure) &&
		(!c.user.may(JobRead) || len(c.s.jobsOf(v)) == 0) {
		c.notFound()
		return
	}
	switch path[1] {
	case "api":
		c.api(path[1:], fields{"_class": "hudson.model.ListView", "name": v.name,
			"jobs": func() any { return list(c.s.jobsOf(v), c.s.jobFields) }})
	case "config.xml":
		c.text("application/xml", v.xml())
	case "addJobToView":
		if c.post(ViewConfigure) {
			c.addJobToView(v, c.form.Get("name"))
		}
	default:
		c.notFound()
	}
}

// addJobToView puts a job into the list of names. Two at once can fail, where the switch is on; both are added all the
// same.
func (c *call) addJobToView(v *view, name string) {
	if c.s.job(name) == nil {
		c.failure("Query parameter 'name' does not correspond to a known item")
		return
	}
	v.names[strings.ToLower(name)] = true
	if v.pattern != "" || !c.s.fault.racing.Load() {
		return
	}
	v.saving++
	c.unlocked(func() { time.Sleep(5 * time.Millisecond) })
	if v.saving--; v.saving > 0 {
		c.oops(http.StatusInternalServerError)
	}
}

// xml is the view's config.xml: of version 1.1, as Jenkins writes it.
func (v *view) xml() string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.1\" encoding=\"UTF-8\"?>\n<hudson.model.ListView>\n  <jobNames>\n")
	for _, name := range slices.Sorted(maps.Keys(v.names)) {
		b.WriteString("    <string>" + html.EscapeString(name) + "</string>\n")
	}
	b.WriteString("  </jobNames>\n")
	if v.pattern != "" {
		b.WriteString("  <includeRegex>" + html.EscapeString(v.pattern) + "</includeRegex>\n")
	}
	return b.String() + "</hudson.model.ListView>"
}
