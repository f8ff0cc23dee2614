package jenkinstest

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

func (s *Server) jobURL(j *job) string {
	return strings.TrimSuffix(s.opt.RootURL, "/") + "/job/" + escape(j.name) + "/"
}

// runBean is a build as the API shows it.
func (s *Server) runBean(j *job, b *run, jobURL string) *bean {
	n := strconv.Itoa(b.number)
	return beanOf(buildClass,
		lazy("actions", 1, func() any {
			all := []*bean{causeAction(b.causes)}
			if b.completed() && b.result == "ABORTED" && b.stopper != "" { // a restart has no cause
				all = append(all, beanOf("jenkins.model.InterruptedBuildAction", lazy("causes", 1, func() any {
					return []*bean{beanOf("jenkins.model.CauseOfInterruption$UserInterruption",
						deep("shortDescription", "Aborted by "+b.stopper))}
				})))
			}
			return append(all, beanOf("org.jenkinsci.plugins.displayurlapi.actions.RunDisplayAction"))
		}),
		lazy("artifacts", 1, func() any { return artifactBeans(b.artifacts) }),
		is("building", b.building()), is("description", nil), is("displayName", "#"+n),
		lazy("duration", 1, func() any {
			if b.building() {
				return 0
			}
			return b.duration.Milliseconds()
		}),
		lazy("estimatedDuration", 1, func() any {
			if d := j.estimate(); d >= 0 {
				return d.Milliseconds()
			}
			return -1
		}),
		lazy("executor", 1, func() any {
			if b.node.slots[b.slot] != b {
				return nil
			}
			return s.executorBean(b.node, b.slot)
		}),
		is("fullDisplayName", b.name()), is("id", n), is("keepLog", b.kept), deep("number", b.number), is("queueId", b.queueID),
		is("result", text(b.result)), is("timestamp", b.started.UnixMilli()), deep("url", jobURL+n+"/"), is("builtOn", b.builtOn()),
		is("changeSet", beanOf("hudson.scm.EmptyChangeLogSet", deep("items", []*bean{}), deep("kind", nil))), is("culprits", []*bean{}))
}

func (b *run) builtOn() string {
	if b.node.Name == "master" {
		return ""
	}
	return b.node.Name
}

// runAt answers what is below a build.
func (c *call) runAt(j *job, b *run, called string, seg []string) {
	self := fmt.Sprintf("/job/%s/%d/", escape(j.name), b.number)
	if len(seg) == 0 {
		c.redirect(fmt.Sprintf("/job/%s/%s/", escape(j.name), called))
		return
	}
	switch seg[0] {
	case "":
		c.html(b.name())
	case "api":
		c.api(seg, c.s.runBean(j, b, c.s.jobURL(j)))
	case "logText":
		if len(seg) != 2 || seg[1] != "progressiveText" {
			c.notFound()
			return
		}
		c.progressiveText(b)
	case "console":
		c.consolePage(b)
	case "consoleText":
		c.consoleText(b)
	case "stop":
		c.stop(b, self)
	case "term":
		if c.postOnly() {
			c.redirect(self + "term/")
		}
	case "artifact":
		c.artifact(b, self, seg[1:])
	case "toggleLogKeep":
		if c.postOnly() && c.require(map[bool]string{false: RunUpdate, true: RunDelete}[b.kept]) { // Run.keepLog
			b.kept = !b.kept
			c.redirect(self)
		}
	case "doDelete":
		c.deleteRun(j, b)
	default:
		c.notFound()
	}
}

func (c *call) stop(b *run, self string) {
	if !c.postOnly() {
		return
	}
	if b.node.slots[b.slot] == b {
		if !c.require(JobCancel) {
			return
		}
		b.interrupt(c.user.name())
	}
	c.redirect(self)
}

// deleteRun forgets a build. One that runs goes on, and keeps its executor.
func (c *call) deleteRun(j *job, b *run) {
	switch {
	case !c.postOnly() || !c.require(RunDelete):
	case b.kept:
		c.failure("Unable to delete " + b.name() + ": This record is explicitly marked to be kept.")
	default:
		j.builds = slices.DeleteFunc(j.builds, func(other *run) bool { return other == b })
		os.RemoveAll(b.dir)
		c.redirect("/job/" + escape(j.name) + "/")
	}
}
