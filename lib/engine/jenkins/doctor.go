package jenkins

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"toaster.do/lib/apperr"
	"toaster.do/lib/doctor/check"
)

// oldestRelease is the oldest release that this engine was tried with; the newest was 2.452.
const oldestRelease = "2.263"

// Doctor looks at all that the engine needs of the controller: that it answers, its release, the account and its
// permissions, the view, for each label an agent that is online, and jobs that were renamed. To try the permissions and
// the agents it makes a job, starts and cancels a build of it that no agent can take, lets one run on an agent of each
// label that is free, and deletes the job.
func (e *Engine) Doctor(ctx context.Context, labels []string) []check.Result {
	reached, version := e.checkConnection(ctx)
	if !reached.OK() {
		return []check.Result{reached}
	}
	labels = slices.Compact(slices.Sorted(slices.Values(labels)))
	agents, free := e.checkAgents(ctx, labels)
	all := append([]check.Result{reached, checkRelease(version)}, e.checkPermissions(ctx, free)...)
	all = append(all, e.checkView(ctx)...)
	all = append(all, agents...)
	return append(all, e.checkRenamedJobs(ctx)...)
}

func (e *Engine) checkConnection(ctx context.Context) (check.Result, string) {
	name := "Jenkins at " + e.requester.base.String()
	var me struct {
		Name      string `json:"name"`
		Anonymous bool   `json:"anonymous"`
	}
	resp, err := e.requester.GetJSON(ctx, "/whoAmI", &me, nil)
	switch {
	case err != nil:
		return e.failed(name, err), ""
	case me.Anonymous:
		return check.Fail(name, "treats toaster as an anonymous user.", "Set user and token in [jenkins]."), ""
	}
	return check.OK(name, "answers user "+me.Name+"."), resp.Header.Get("X-Jenkins")
}

// failed is a check that a call to Jenkins has ended.
func (e *Engine) failed(name string, err error) check.Result {
	return check.Fail(name, errorDetails(err), fix(err, e.requester))
}

func errorDetails(err error) string {
	message, _ := apperr.Explain(err)
	return message
}

// fix says what to do about a call that failed.
func fix(err error, r *requester) string {
	var e *answerError
	if !errors.As(err, &e) {
		if apperr.KindOf(err) == apperr.Internal {
			return "Set ca in [jenkins] to the file of the authority that signed Jenkins's certificate."
		}
		return "Check that Jenkins is running, and url in [jenkins]."
	}
	switch {
	case e.status == http.StatusUnauthorized:
		return "Set user and token in [jenkins]: user " + strconv.Quote(r.user) + " has no such token or password."
	case e.permission != "":
		return "Give the account the permission " + permission(e.permission) + "."
	case apperr.KindOf(err) == apperr.Unavailable:
		return "Wait until Jenkins has started."
	}
	return "Check that url in [jenkins] is the address of Jenkins, including its path."
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

func checkRelease(version string) check.Result {
	const name = "Jenkins's release"
	switch {
	case version == "":
		return check.Fail(name, "Unknown.", "Check that url in [jenkins] is the address of Jenkins.")
	case olderThan(version, oldestRelease):
		return check.Fail(name, version+" is older than "+oldestRelease+", the oldest release that toaster was tested with.",
			"Update Jenkins.")
	}
	return check.OK(name, version)
}

func olderThan(version, than string) bool {
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
