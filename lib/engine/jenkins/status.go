package jenkins

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
)

// buildInfo is a build as Jenkins tells of it. See hudson.model.Run.
type buildInfo struct {
	Number    int    `json:"number"`
	QueueID   int64  `json:"queueId"` // -1 until the build knows it
	Building  bool   `json:"building"`
	Result    string `json:"result"`
	Timestamp int64  `json:"timestamp"`         // ms since 1970
	Duration  int64  `json:"duration"`          // ms; 0 while it runs
	Estimated int64  `json:"estimatedDuration"` // ms; -1 when unknown
}

// statusFields are all that Status needs to know of a job, besides its name. How long builds take is worked out once
// per job, not once per build.
var statusFields = fmt.Sprintf("fullName,description,disabled,labelExpression,"+
	"queueItem[id,why,inQueueSince,blocked],lastBuild[number,estimatedDuration],"+
	"builds[number,queueId,building,result,timestamp,duration]{0,%d}", engine.RecentBuilds)

// Status asks for one job by its name, for several by their view, which is one request however many they are. Jobs that
// are not in the view are looked for among all of the controller's: one more request. A job that has one of the names,
// but isn't toaster's, is not known. See engine.Engine.
func (e *Engine) Status(ctx context.Context, names ...string) (map[string]engine.Status, error) {
	all := make(map[string]engine.Status, len(names))
	switch len(names) {
	case 0:
		return all, nil
	case 1:
		j, err := e.findJob(ctx, names[0], statusFields)
		if apperr.KindOf(err) == apperr.NotFound {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if err := e.checkOwner(ctx, j, j.Name); err == errNotOurs {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		places, err := e.queuePositions(ctx, j)
		if err != nil {
			return nil, err
		}
		all[j.Name] = status(j, places)
		return all, nil
	}
	wanted := make(map[string]bool, len(names))
	for _, name := range names {
		wanted[name] = true
	}
	for _, list := range []string{path("view", e.view), ""} {
		if len(all) == len(wanted) {
			break
		}
		err := e.addStatuses(ctx, list, wanted, all)
		kind := apperr.KindOf(err)
		if err != nil && (list == "" || kind != apperr.NotFound && kind != apperr.PermissionDenied) {
			return nil, err
		}
	}
	return all, nil
}

// addStatuses asks for all jobs of a view, and adds those that are wanted.
func (e *Engine) addStatuses(
	ctx context.Context, view string, wanted map[string]bool, all map[string]engine.Status,
) error {
	var answer struct {
		Jobs []jobInfo `json:"jobs"`
	}
	tree := map[string]string{"tree": "jobs[name," + statusFields + "]"}
	if _, err := e.requester.GetJSON(ctx, view, &answer, tree); err != nil {
		return err
	}
	var waiting []queueItem
	for i := range answer.Jobs {
		if q := answer.Jobs[i].Queued; q != nil {
			waiting = append(waiting, *q)
		}
	}
	slices.SortFunc(waiting, func(a, b queueItem) int { return cmp.Compare(a.ID, b.ID) })
	places := positions(waiting)
	for i := range answer.Jobs {
		j := &answer.Jobs[i]
		if _, known := all[j.Name]; known || !wanted[j.Name] || j.FullName != j.Name {
			continue
		}
		if err := e.checkOwner(ctx, j, j.Name); err == errNotOurs {
			continue
		} else if err != nil {
			return err
		}
		all[j.Name] = status(j, places)
	}
	return nil
}

// queuePositions asks where in the queue a job is, if it waits there.
func (e *Engine) queuePositions(ctx context.Context, j *jobInfo) (map[int64]int, error) {
	if j.Queued == nil || j.Queued.Blocked {
		return nil, nil
	}
	var answer struct {
		Items []queueItem `json:"items"`
	}
	if _, err := e.requester.GetJSON(ctx, "/queue", &answer, map[string]string{"tree": "items[id,blocked]"}); err != nil {
		return nil, err
	}
	slices.Reverse(answer.Items) // what is next comes last: Queue.getItems
	return positions(answer.Items), nil
}

// positions counts those that wait, next first. A build that waits for another of its own job is in nobody's way.
func positions(waiting []queueItem) map[int64]int {
	places := make(map[int64]int, len(waiting))
	for _, q := range waiting {
		if !q.Blocked {
			places[q.ID] = len(places) + 1
		}
	}
	return places
}

func status(j *jobInfo, places map[int64]int) engine.Status {
	s := engine.Status{Enabled: !j.Disabled}
	for _, r := range j.Builds {
		b := buildStatus(r)
		if j.Last != nil && j.Last.Number == r.Number && j.Last.Estimated > 0 {
			b.Expected = time.Duration(j.Last.Estimated) * time.Millisecond
		}
		s.Builds = append(s.Builds, b)
	}
	if q := j.Queued; q != nil {
		s.Waiting = &engine.Waiting{Ticket: ticketOf(q.ID), Since: time.UnixMilli(q.Since).UTC(),
			Position: places[q.ID], Reason: waitingReason(q, j.Label)}
	}
	return s
}

func buildStatus(r buildInfo) engine.BuildStatus {
	b := engine.BuildStatus{Number: r.Number, Ticket: ticketOf(r.QueueID), StartedAt: time.UnixMilli(r.Timestamp).UTC()}
	if r.Building { // for a moment with a result already
		b.State = engine.Running
		return b
	}
	b.EndedAt = b.StartedAt.Add(time.Duration(max(0, r.Duration)) * time.Millisecond)
	switch r.Result {
	case "SUCCESS":
		b.State = engine.Succeeded
	case "ABORTED":
		b.State = engine.Aborted
	case "UNSTABLE": // see failedStatus
		b.State = engine.Failed
	default:
		b.State, b.Reason = engine.Lost, i18n.T(endedByJenkins)
	}
	return b
}

// ticketOf is empty for a build that doesn't know its queue item.
func ticketOf(id int64) engine.Ticket {
	if id < 1 {
		return ""
	}
	return engine.Ticket(fmt.Sprint(id))
}

// waitingReason says for a person why an item waits. What Jenkins says is in English, because it is asked so.
func waitingReason(q *queueItem, label string) i18n.Text {
	why := strings.ToLower(q.Why)
	says := func(words string) bool { return strings.Contains(why, words) }
	if m := regexp.MustCompile(`build #([0-9]+) is already in progress`).FindStringSubmatch(why); m != nil {
		return i18n.T("waits for build %s of this job", m[1])
	}
	switch {
	case q.Why == "" || says("quiet period") || says("finished waiting"):
		return i18n.T("starts soon")
	case says("about to shut down"):
		return i18n.T("waits for the build service to restart")
	case says("label") && !says("waiting for next available"), says("is offline"), says("are offline"), says("no nodes"):
		if label == "" {
			return i18n.T("waits for an agent: none is online")
		}
		return i18n.T("waits for an agent with label %s: none is online", label)
	case says("waiting for next available executor"):
		if label == "" {
			return i18n.T("waits for an agent: all are busy")
		}
		return i18n.T("waits for an agent with label %s: all are busy", label)
	}
	return i18n.T("waits: %s", strings.Join(strings.Fields(q.Why), " "))
}
