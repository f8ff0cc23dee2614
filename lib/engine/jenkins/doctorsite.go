package jenkins

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"toaster.do/lib/apperr"
	"toaster.do/lib/doctor/check"
)

// checkView looks at the view. One that has a job can also be seen by who may see the job.
func (e *Engine) checkView(ctx context.Context) []check.Result {
	name := "view " + e.view
	pattern, err := e.viewPattern(ctx)
	switch kind := apperr.KindOf(err); {
	case kind == apperr.NotFound:
		return []check.Result{check.Fail(name, "does not exist, or the account can't see it.",
			"Create it from conf/jenkins/view.xml, and give the account View/Read.")}
	case kind == apperr.PermissionDenied:
		return []check.Result{check.Fail(name, errorDetails(err), "Give the account View/Read.")}
	case err != nil:
		return []check.Result{e.failed(name, err)}
	}
	f := check.OK(name, "includes jobs that match "+pattern)
	if pattern == "" {
		f = check.Warn(name, "lists jobs by name; a pattern is safer: "+Pattern, "")
	}
	var shown struct {
		Jobs []nameOnly `json:"jobs"`
	}
	_, err = e.requester.GetJSON(ctx, path("view", e.view), &shown, map[string]string{"tree": "jobs[name]{0,1}"})
	if err == nil && len(shown.Jobs) == 0 {
		return []check.Result{f}
	}
	return []check.Result{f, check.Skip("permission to see views",
		"a view that has jobs is visible without it. Give the account View/Read anyway")}
}

// checkAgents looks for an agent for each label, and returns the labels of which one is free.
func (e *Engine) checkAgents(ctx context.Context, labels []string) (all []check.Result, free []string) {
	agents, err := e.computers(ctx)
	if err != nil {
		return []check.Result{e.failed("agents", err)}, nil
	}
	for _, label := range labels {
		f := check.Fail(agentWith(label), "", "")
		online, idle := 0, false
		var offline, exclusive []string
		for _, a := range agents {
			switch {
			case !a.can(label):
			case label == "" && e.isExclusive(ctx, a):
				exclusive = append(exclusive, a.Name)
			case a.Offline:
				offline = append(offline, a.Name)
			default:
				online += a.Slots
				idle = idle || a.idle()
			}
		}
		switch {
		case online > 0:
			f = check.OK(f.Name, fmt.Sprintf("%d builds at once", online))
		case len(offline) > 0:
			f.Message, f.Fix = "is offline: "+strings.Join(offline, ", ")+".", "Bring it online."
		case len(exclusive) > 0:
			f.Message = "does not exist: " + strings.Join(exclusive, ", ") + " only take jobs with their label."
			f.Fix = "Give the targets in targets.toml that label, or set the agent's usage to “Use this node as much as " +
				"possible”."
		default:
			f.Message, f.Fix = "does not exist.", "Prepare one as described in conf/jenkins/README.md and give it the label, "+
				"or disable the targets in targets.toml."
		}
		if idle {
			free = append(free, label)
		}
		all = append(all, f)
	}
	return all, free
}

func (c *computer) idle() bool {
	for _, x := range c.Executors {
		if x.Idle {
			return true
		}
	}
	return false
}

// isExclusive tells whether an agent takes only jobs with one of its labels: Node.Mode.EXCLUSIVE. Only a label's page
// tells, and each node's own name is a label.
func (e *Engine) isExclusive(ctx context.Context, c computer) bool {
	var label struct {
		Mode  string `json:"mode"`
		Nodes []struct {
			Mode string `json:"mode"`
		} `json:"nodes"`
	}
	at, tree := path("label", c.Name), "nodes[mode]"
	if c.Class == "hudson.model.Hudson$MasterComputer" {
		at, tree = "", "mode"
	}
	if _, err := e.requester.GetJSON(ctx, at, &label, map[string]string{"tree": tree}); err != nil {
		return false
	}
	return label.Mode == "EXCLUSIVE" || len(label.Nodes) > 0 && label.Nodes[0].Mode == "EXCLUSIVE"
}

// checkRenamedJobs finds jobs that carry the mark of another one: toaster has made that anew, and leaves these alone.
func (e *Engine) checkRenamedJobs(ctx context.Context) (all []check.Result) {
	var root struct {
		Jobs []jobInfo `json:"jobs"`
	}
	if _, err := e.requester.GetJSON(ctx, "", &root, map[string]string{"tree": "jobs[name,description]"}); err != nil {
		return []check.Result{e.failed("renamed jobs", err)}
	}
	mark := regexp.MustCompile(`\(toaster job ([A-Za-z0-9._+-]{1,200})\)`)
	for _, j := range root.Jobs {
		if m := mark.FindStringSubmatch(j.Description); m != nil && m[1] != j.Name {
			all = append(all, check.Fail("job "+j.Name,
				"has the mark of toaster's job "+m[1]+": it was renamed or copied. toaster has created "+m[1]+" again.",
				"Delete "+j.Name+", or remove the mark from its description."))
		}
	}
	return all
}
