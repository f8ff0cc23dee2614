package jenkins

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/bndr/gojenkins"

	"toaster.do/lib/engine"
	"toaster.do/lib/fault"
)

// Finding is one thing that Doctor looked at.
type Finding struct {
	What    string // "permission to build"
	OK      bool
	Unknown bool   // it could not be looked at; Problem says why
	Problem string // what is wrong, or what is worth knowing, for the administrator; may be empty
	Advice  string // what to change
}

// oldest is the release that this engine was made for.
const oldest = "2.263"

// Doctor looks at all that the engine needs of the controller: that it answers, its release, the account and its permissions,
// the view, and for each label an agent that is online. To try the permissions it makes a job, starts and cancels a build of it that no
// agent can take, and deletes the job.
func (e *Engine) Doctor(ctx context.Context, labels []string) []Finding {
	reached, version := e.reach(ctx)
	if !reached.OK {
		return []Finding{reached}
	}
	all := []Finding{reached, release(version)}
	all = append(all, e.permissions(ctx)...)
	all = append(all, e.viewFinding(ctx))
	return append(all, e.agents(ctx, labels)...)
}

func (e *Engine) reach(ctx context.Context) (Finding, string) {
	f := Finding{What: "Jenkins at " + e.ask.base.String()}
	var me struct {
		Name      string `json:"name"`
		Anonymous bool   `json:"anonymous"`
	}
	resp, err := e.ask.GetJSON(ctx, "/whoAmI", &me, nil)
	switch {
	case err != nil:
		f.Problem, f.Advice = cause(err), cure(err, e.ask)
		return f, ""
	case me.Anonymous:
		f.Problem, f.Advice = "takes toaster for an anonymous visitor.", "Set user and token in [jenkins]."
		return f, ""
	}
	f.OK, f.Problem = true, "answers user "+me.Name+"."
	return f, resp.Header.Get("X-Jenkins")
}

// cause says why a call failed, with the details that a page keeps to itself.
func cause(err error) string {
	f := fault.Of(err)
	if f.Err == nil {
		return f.Message
	}
	return f.Message + " (" + f.Err.Error() + ")"
}

// cure says what to do about a call that failed.
func cure(err error, r *requester) string {
	var e *answerError
	if !errors.As(err, &e) {
		if fault.KindOf(err) == fault.Broken {
			return "Set ca in [jenkins] to the file of the authority that signed Jenkins's certificate."
		}
		return "See whether Jenkins runs, and url in [jenkins]."
	}
	switch {
	case e.status == http.StatusUnauthorized:
		return "Set user and token in [jenkins]: user " + strconv.Quote(r.user) + " has no such token or password."
	case e.lacks != "":
		return "Give the account the permission " + permission(e.lacks) + "."
	case fault.KindOf(err) == fault.Unavailable:
		return "Wait until Jenkins has started."
	}
	return "See whether url in [jenkins] is that of Jenkins itself, with the path that it has."
}

// permission turns Jenkins's name of a permission into what its pages call it: hudson.model.Item.Build is Job/Build.
func permission(id string) string {
	words := strings.Split(id, ".")
	if len(words) < 2 {
		return id
	}
	group := words[len(words)-2]
	switch group {
	case "Item":
		group = "Job"
	case "Hudson":
		group = "Overall"
	}
	return group + "/" + words[len(words)-1]
}

func release(version string) Finding {
	f := Finding{What: "Jenkins's release", OK: true, Problem: version}
	switch {
	case version == "":
		f.OK, f.Problem, f.Advice = false, "The answer doesn't say.", "See whether url in [jenkins] is that of a Jenkins."
	case older(version, oldest):
		f.OK, f.Problem, f.Advice = false, version+" is older than "+oldest+", for which toaster was made.", "Update Jenkins."
	}
	return f
}

func older(version, than string) bool {
	a, b := strings.Split(version, "."), strings.Split(than, ".")
	for i := range b {
		if i >= len(a) {
			return true
		}
		x, _ := strconv.Atoi(a[i])
		y, _ := strconv.Atoi(b[i])
		if x != y {
			return x < y
		}
	}
	return false
}

// permissions goes through the life of a job.
func (e *Engine) permissions(ctx context.Context) (all []Finding) {
	job := engine.Job{
		Name: "toaster-doctor-" + rand.Text(), Description: "“toasterctl doctor” tries its permissions; it may be deleted",
		Label: "toaster-doctor-no-agent-has-this-label", Script: []byte("exit 1\n"),
	}
	at := path("job", job.Name)
	try := func(what, lacks string, do func() error) bool {
		f := Finding{What: "permission " + what}
		if err := do(); err == nil {
			f.OK = true
		} else if fault.KindOf(err) == fault.Denied || fault.KindOf(err) == fault.NotFound {
			f.Problem, f.Advice = "The account may not do that.", "Give it the permission "+lacks+"."
		} else {
			f.Problem, f.Advice = cause(err), cure(err, e.ask)
		}
		all = append(all, f)
		return f.OK
	}
	post := func(path string, query map[string]string) error {
		_, err := e.ask.Post(ctx, path, nil, nil, query)
		return err
	}
	if !try("to create a job", "Job/Create", func() error {
		_, err := e.ask.PostXML(ctx, "/createItem", config(job, false), nil, map[string]string{"name": job.Name})
		return err
	}) {
		return all
	}
	try("to see a job", "Job/Read", func() error { _, err := e.look(ctx, job.Name, "description"); return err })
	try("to change a job", "Job/Configure", func() error {
		_, err := e.ask.PostXML(ctx, at+"/config.xml", config(job, false), nil, nil)
		return err
	})
	if try("to start a build", "Job/Build", func() error { return post(at+"/build", map[string]string{"delay": "0sec"}) }) {
		try("to cancel a build", "Job/Cancel", func() error {
			j, err := e.look(ctx, job.Name, "queueItem[id]")
			if err == nil {
				err = e.cancel(ctx, j)
			}
			return err
		})
	}
	if !try("to delete a job", "Job/Delete", func() error {
		_, err := (&gojenkins.Job{Jenkins: e.jenkins, Base: at}).Delete(ctx)
		return err
	}) {
		all[len(all)-1].Advice += " Delete the job " + job.Name + "."
	}
	return all
}

func (e *Engine) viewFinding(ctx context.Context) Finding {
	f := Finding{What: "view " + e.view}
	pattern, err := e.viewPattern(ctx)
	switch kind := fault.KindOf(err); {
	case err == nil && pattern == "":
		f.OK = true
		f.Problem = "lists jobs by name; a pattern is safer: " + Pattern
	case err == nil:
		f.OK, f.Problem = true, "takes the jobs that match "+pattern
	case kind == fault.NotFound:
		f.Problem, f.Advice = "is not there, or the account may not see it.", "Make it from conf/jenkins/view.xml, and give the account View/Read."
	case kind == fault.Denied:
		f.Problem, f.Advice = cause(err), "Give the account View/Read."
	default:
		f.Problem, f.Advice = cause(err), cure(err, e.ask)
	}
	return f
}

// agents looks for an agent for each label.
func (e *Engine) agents(ctx context.Context, labels []string) (all []Finding) {
	agents, err := e.computers(ctx)
	if err != nil {
		return []Finding{{What: "agents", Problem: cause(err), Advice: cure(err, e.ask)}}
	}
	labels = slices.Compact(slices.Sorted(slices.Values(labels)))
	for _, label := range labels {
		f := Finding{What: "an agent with label " + label}
		if label == "" {
			f.What = "an agent for targets without a label"
		}
		online, offline := 0, []string(nil)
		for _, a := range agents {
			switch {
			case !a.can(label):
			case a.Offline:
				offline = append(offline, a.Name)
			default:
				online += a.Slots
			}
		}
		switch {
		case online > 0:
			f.OK, f.Problem = true, fmt.Sprintf("%d builds at once", online)
		case len(offline) > 0:
			f.Problem, f.Advice = "is offline: "+strings.Join(offline, ", ")+".", "Bring it online."
		default:
			f.Problem, f.Advice = "is not there.", "Prepare one as conf/jenkins/README.md says and give it the label, or switch the targets off in targets.toml."
		}
		all = append(all, f)
	}
	return all
}
