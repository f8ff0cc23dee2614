package jenkinstest

import (
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// job is a freestyle project.
type job struct {
	name     string
	config   string // config.xml
	project  project
	disabled bool
	next     int  // the next build's number
	starting bool // an executor has taken it, the build isn't there yet
	deleting bool
	builds   []*build // newest first
}

// project is a freestyle project's config.xml, as far as it matters.
type project struct {
	XMLName      xml.Name `xml:"project"`
	Description  string   `xml:"description"`
	Disabled     bool     `xml:"disabled"`
	AssignedNode string   `xml:"assignedNode"`
	Shell        []struct {
		Command  string `xml:"command"`
		Unstable int    `xml:"unstableReturn"` // the exit status that makes the build unstable
	} `xml:"builders>hudson.tasks.Shell"`
	Parameters *struct{} `xml:"properties>hudson.model.ParametersDefinitionProperty"`
	Archiver   *archiver `xml:"publishers>hudson.tasks.ArtifactArchiver"`
}

// escape is how Jenkins writes a name into a URL.
func escape(name string) string { return strings.ReplaceAll(url.PathEscape(name), "+", "%2B") }

func (s *Server) job(name string) *job { return s.jobs[strings.ToLower(name)] }

func (s *Server) sortedJobs() []*job {
	var all []*job
	for _, name := range slices.Sorted(maps.Keys(s.jobs)) {
		all = append(all, s.jobs[name])
	}
	return all
}

func (s *Server) jobFields(j *job) fields {
	return fields{"_class": "hudson.model.FreeStyleProject", "name": j.name, "fullName": j.name,
		"description": j.project.Description, "disabled": j.disabled, "nextBuildNumber": j.next,
		"labelExpression": j.project.AssignedNode, "builds": func() any { return list(j.builds, s.buildFields) },
		"lastBuild": func() any {
			if len(j.builds) == 0 {
				return nil
			}
			return s.buildFields(j.builds[0])
		},
		"queueItem": func() any {
			if i := s.queue.of(j); i != nil {
				return s.itemFields(i)
			}
			return nil
		}}
}

func (c *call) createItem() {
	if !c.post(JobCreate) {
		return
	}
	name, contentType := c.form.Get("name"), c.r.Header.Get("Content-Type")
	j := &job{name: name, next: 1}
	switch {
	case c.s.job(name) != nil:
		c.failure("A job already exists with the name ‘" + name + "’")
	case !strings.HasPrefix(contentType, "application/xml"):
		c.failure("No mode given")
	case c.configure(j):
		c.s.jobs[strings.ToLower(name)] = j
	}
}

var xmlDeclaration = regexp.MustCompile(`^\s*<\?xml[^>]*\?>`)

// configure gives a job the config.xml that was sent.
func (c *call) configure(j *job) bool {
	var p project
	if err := xml.Unmarshal(xmlDeclaration.ReplaceAll(c.body, nil), &p); err != nil {
		c.oops(http.StatusInternalServerError)
		return false
	}
	j.config, j.project, j.disabled = string(c.body), p, p.Disabled
	return true
}

// routeJob answers what is below /job/; a job that the user may not read is not there.
func (c *call) routeJob(path []string) {
	var j *job
	if len(path) > 1 && c.user.may(JobRead) {
		j = c.s.job(path[0])
	}
	if j == nil {
		c.notFound()
		return
	}
	if number, err := strconv.Atoi(path[1]); err == nil {
		for _, b := range j.builds {
			if b.number == number && len(path) > 2 {
				c.routeBuild(b, path[2:])
				return
			}
		}
	}
	switch path[1] {
	case "api":
		c.api(path[1:], c.s.jobFields(j))
	case "config.xml":
		c.config(j)
	default:
		c.jobAction(j, "/job/"+escape(path[0])+"/", path[1])
	}
}

var jobActions = map[string]string{"build": JobBuild, "doWipeOutWorkspace": JobBuild, "doDelete": JobDelete,
	"disable": JobConfigure, "enable": JobConfigure, "doRename": JobConfigure}

func (c *call) jobAction(j *job, self, action string) {
	permission, known := jobActions[action]
	if !known {
		c.notFound()
		return
	}
	if !c.post(permission) {
		return
	}
	switch action {
	case "build":
		c.build(j)
		return
	case "doWipeOutWorkspace":
		os.RemoveAll(filepath.Join(c.s.home, "workspace", j.name))
	case "doDelete":
		self = "/"
		if !c.delete(j) {
			return
		}
	case "disable", "enable":
		j.disabled = action == "disable"
		j.config = disabledElement.ReplaceAllLiteralString(j.config, fmt.Sprintf("<disabled>%t</disabled>", j.disabled))
		if j.disabled {
			c.s.cancelAll(j)
		}
	case "doRename":
		delete(c.s.jobs, strings.ToLower(j.name))
		j.name = c.form.Get("newName")
		c.s.jobs[strings.ToLower(j.name)] = j
	}
	c.redirect(self)
}

func (c *call) config(j *job) {
	if !c.require(JobConfigure) {
		return
	}
	if c.r.Method != "POST" {
		c.text("application/xml", j.config)
	} else if c.configure(j) {
		c.s.maintain()
	}
}

var disabledElement = regexp.MustCompile(`<disabled>\s*\w+\s*</disabled>`)

// delete cancels what waits, stops what runs and deletes the job; its workspace stays. The controller goes on with
// other requests while a build comes to its end.
func (c *call) delete(j *job) bool {
	if j.deleting {
		c.oops(http.StatusInternalServerError)
		return false
	}
	j.deleting = true
	c.s.cancelAll(j)
	running := c.s.building(j)
	for _, b := range running {
		b.interrupt(c.user.Name)
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
