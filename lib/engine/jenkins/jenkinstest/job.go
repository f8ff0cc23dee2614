package jenkinstest

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// job is a freestyle project.
type job struct {
	name     string
	config   string // config.xml
	project  project
	disabled bool
	held     bool // a fresh copy, which must be configured before it builds
	next     int  // the next build's number
	starting bool // an executor has taken it, the build isn't there yet
	deleting bool
	builds   []*run // newest first
}

func (s *Server) job(name string) *job { return s.jobs[strings.ToLower(name)] }

func (s *Server) sortedJobs() []*job {
	var all []*job
	for _, j := range s.jobs {
		all = append(all, j)
	}
	slices.SortFunc(all, func(a, b *job) int { return strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name)) })
	return all
}

func (c *call) createItem(v *view) {
	if !c.postOnly() || !c.require(JobCreate) {
		return
	}
	contentType, mode := c.r.Header.Get("Content-Type"), c.param("mode")
	name := c.param("name")
	trimmed := strings.TrimSpace(name)
	switch {
	case contentType == "" && mode != "copy":
		c.failure("No Content-Type header set")
	case !c.form.Has("name"):
		c.failure("Query parameter 'name' is required")
	case badName(trimmed) != "":
		c.failure(badName(trimmed))
	case c.s.job(trimmed) != nil:
		c.failure("A job already exists with the name ‘" + trimmed + "’")
	case mode == "copy":
		c.copy(trimmed)
	case strings.HasPrefix(contentType, "application/xml"), strings.HasPrefix(contentType, "text/xml"):
		c.create(trimmed, v)
	default:
		c.failure("No mode given")
	}
}

func (c *call) create(name string, v *view) {
	p, stored, err := parseConfig(c.body)
	if err != nil || len(name) > 255 {
		c.oops(http.StatusInternalServerError)
		return
	}
	c.s.jobs[strings.ToLower(name)] = &job{name: name, config: stored, project: p, disabled: p.Disabled, next: 1}
	if v != nil && !v.save(c, func() { v.names[strings.ToLower(name)] = true }) {
		return
	}
	c.ok()
}

func (c *call) copy(name string) {
	from := c.s.job(c.param("from"))
	if from == nil {
		c.failure("No such job: " + c.param("from"))
		return
	}
	c.s.jobs[strings.ToLower(name)] = &job{name: name, config: from.config, project: from.project, disabled: from.disabled, held: true, next: 1}
	c.redirect("/job/" + escape(name) + "/configure")
}

// jobAt answers what is below /job/; a job that the user may not read is not there.
func (c *call) jobAt(seg []string) {
	if len(seg) == 0 || seg[0] == "" {
		c.notFound()
		return
	}
	j := c.s.job(seg[0])
	if j == nil || !c.user.may(JobRead) {
		c.notFound()
		return
	}
	if len(seg) == 1 {
		c.redirect("/job/" + escape(seg[0]) + "/")
		return
	}
	if b := j.find(seg[1]); b != nil {
		c.runAt(j, b, seg[1], seg[2:])
		return
	}
	self := "/job/" + escape(seg[0]) + "/"
	switch seg[1] {
	case "":
		c.jobPage(j)
	case "api":
		c.api(seg[1:], c.s.jobBean(j, self))
	case "config.xml":
		c.config(j)
	case "build":
		c.build(j)
	case "buildWithParameters":
		if c.postOnly() && c.require(JobBuild) {
			c.oops(http.StatusInternalServerError)
		}
	case "disable", "enable":
		c.enable(j, self, seg[1] == "enable")
	case "doDelete":
		if c.postOnly() && c.require(JobDelete) && c.delete(j) {
			c.redirect("/")
		}
	case "description":
		c.describe(j)
	case "doRename":
		c.rename(j)
	case "doWipeOutWorkspace":
		if c.postOnly() && c.require(JobBuild) {
			os.RemoveAll(c.s.workspace(j))
			c.redirect(self)
		}
	case "ws":
		c.html("Workspace of " + j.name + " on master")
	default:
		c.notFound()
	}
}

func (c *call) jobPage(j *job) {
	switch c.r.Method {
	case "DELETE":
		if c.require(JobDelete) && c.delete(j) {
			c.w.WriteHeader(http.StatusNoContent)
		}
	default:
		c.html(j.name)
	}
}

func (c *call) config(j *job) {
	switch c.r.Method {
	case "GET", "HEAD":
		if c.require(JobConfigure) {
			c.w.Header().Set("Content-Type", "application/xml")
			c.w.Write([]byte(j.config))
		}
	case "POST":
		if !c.require(JobConfigure) {
			return
		}
		p, stored, err := parseConfig(c.body)
		if err != nil {
			c.oops(http.StatusInternalServerError)
			return
		}
		j.project, j.config, j.disabled, j.held = p, stored, p.Disabled, false
		c.s.maintain()
		c.ok()
	default:
		c.w.WriteHeader(http.StatusBadRequest)
	}
}

func (c *call) enable(j *job, self string, yes bool) {
	if !c.postOnly() || !c.require(JobConfigure) {
		return
	}
	if j.disabled == yes {
		j.disabled = !yes
		j.config = withDisabled(j.config, !yes)
	}
	if !yes {
		c.s.cancelAll(j)
	}
	c.redirect(self)
}

func (c *call) describe(j *job) {
	if c.r.Method != "POST" {
		d, _ := j.description().(string)
		c.text("text/plain;charset=utf-8", d)
		return
	}
	if c.require(JobConfigure) {
		d := c.param("description")
		j.project.Description = &d
		c.w.WriteHeader(http.StatusNoContent)
	}
}

func (c *call) rename(j *job) {
	to := strings.TrimSpace(c.param("newName"))
	switch {
	case !c.postOnly() || !c.require(JobConfigure):
	case badName(to) != "":
		c.failure(badName(to))
	case c.s.job(to) != nil && c.s.job(to) != j:
		c.failure("A job already exists with the name ‘" + to + "’")
	default:
		delete(c.s.jobs, strings.ToLower(j.name))
		os.Rename(filepath.Join(c.s.home, "jobs", j.name), filepath.Join(c.s.home, "jobs", to))
		j.name = to
		c.s.jobs[strings.ToLower(to)] = j
		c.redirect("/job/" + escape(to))
	}
}

// delete cancels what waits, stops what runs and deletes the job; its workspace stays. The controller goes on with
// other requests while a build comes to its end.
func (c *call) delete(j *job) bool {
	if j.deleting {
		c.oops(http.StatusInternalServerError)
		return false
	}
	j.deleting = true
	c.s.cancelAll(j)
	running := c.s.running(j)
	for _, b := range running {
		b.interrupt(c.user.name())
	}
	c.unlocked(func() {
		for _, b := range running {
			<-b.ended
		}
	})
	delete(c.s.jobs, strings.ToLower(j.name))
	for _, v := range c.s.views {
		delete(v.names, strings.ToLower(j.name))
	}
	os.RemoveAll(filepath.Join(c.s.home, "jobs", j.name))
	return true
}
