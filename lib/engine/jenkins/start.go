package jenkins

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
)

// queueItem is an item of Jenkins's queue. See hudson.model.Queue.Item.
type queueItem struct {
	ID         int64    `json:"id"`
	Why        string   `json:"why"`
	Since      int64    `json:"inQueueSince"` // ms since 1970
	Blocked    bool     `json:"blocked"`      // by a build of its own job
	Cancelled  bool     `json:"cancelled"`
	Task       nameOnly `json:"task"`
	Executable *struct {
		Number int `json:"number"`
	} `json:"executable"`
}

// Start asks for a build, in one request. The ticket is the id of the queue's item, which the build has later as its
// queueId; while an item of the job waits Jenkins gives the same one. See engine.Engine.
func (e *Engine) Start(ctx context.Context, name string) (engine.Ticket, error) {
	if !engine.ValidName(name) {
		return "", errNoJob
	}
	resp, err := e.requester.Post(ctx, path("job", name, "build"), nil, nil, map[string]string{"delay": "0sec"})
	switch {
	case apperr.KindOf(err) == apperr.NotFound:
		return "", errNoJob
	case statusOf(err) == http.StatusBadRequest:
		// It wants parameters: it was edited by hand. The caller defines it again.
		return "", apperr.Wrap(apperr.NotFound, err, "The job was changed on the build service. It is set up again.",
			tryLater)
	case apperr.KindOf(err) == apperr.Internal && statusOf(err) != 0:
		// Such an answer doesn't prove that nothing was started.
		return "", apperr.Wrap(apperr.Unavailable, err, "The build service did not confirm the start of the build.",
			"toaster finds the Dockerfile automatically, or asks for it.")
	case err != nil:
		return "", err
	}
	location, err := url.Parse(resp.Header.Get("Location"))
	if err == nil {
		if m := regexp.MustCompile(`/queue/item/([0-9]+)/?$`).FindStringSubmatch(location.Path); m != nil {
			return engine.Ticket(m[1]), nil
		}
	}
	return "", apperr.Wrap(apperr.Unavailable,
		errors.New("POST build: no queue item in the answer, but "+resp.Header.Get("Location")),
		"The build service takes no builds at the moment.", tryLater)
}

// Stop ends a build, or takes the item that waits out of the queue. See engine.Engine.
func (e *Engine) Stop(ctx context.Context, name string, number int) error {
	if number < 0 {
		return errNoBuild
	}
	j, err := e.findJob(ctx, name, "nextBuildNumber,queueItem[id],builds[number,building]{0,5}")
	if err != nil {
		return err
	}
	if number == 0 {
		return e.cancel(ctx, j)
	}
	for _, b := range j.Builds {
		if b.Number == number && b.Building {
			return e.stop(ctx, name, number)
		}
	}
	if number >= j.NextNumber {
		return errNoBuild
	}
	return nil
}

var errNoBuild = apperr.New(apperr.NotFound, "The build service has no such build.", "")

// stop ends a running build; Jenkins says the same to one that has ended meanwhile.
func (e *Engine) stop(ctx context.Context, name string, number int) error {
	_, err := e.requester.Post(ctx, path("job", name, strconv.Itoa(number), "stop"), nil, nil, nil)
	if apperr.KindOf(err) == apperr.NotFound {
		return nil
	}
	return err
}

// cancel takes what waits out of the queue. An item that has just left is none any more.
func (e *Engine) cancel(ctx context.Context, j *jobInfo) error {
	if j.Queued == nil {
		return nil
	}
	_, err := e.requester.Post(ctx, "/queue/cancelItem", nil, nil,
		map[string]string{"id": strconv.FormatInt(j.Queued.ID, 10)})
	if apperr.KindOf(err) != apperr.NotFound && statusOf(err) != http.StatusInternalServerError {
		return err
	}
	now, lookErr := e.findJob(ctx, j.Name, "queueItem[id]")
	switch {
	case apperr.KindOf(lookErr) == apperr.NotFound:
		return nil
	case lookErr != nil:
		return lookErr
	case now.Queued != nil && now.Queued.ID == j.Queued.ID:
		return err
	}
	return nil
}

// Trace tells what became of a start that Status shows nowhere: Queued when it waits, or is on its way from the queue
// to its number; Running and the number when it has one; Aborted when somebody took it out of the queue; Lost when
// Jenkins doesn't know it, because it left the queue more than 300 s ago or the queue was lost.
//
// A Status can miss a start that is well: Executor.run takes it from the queue before the build is listed, and before
// the build has its queueId.
func (e *Engine) Trace(ctx context.Context, name string, ticket engine.Ticket) (engine.State, int, error) {
	if n, err := strconv.ParseInt(string(ticket), 10, 64); err != nil || n < 1 {
		return engine.Lost, 0, nil
	}
	var q queueItem
	_, err := e.requester.GetJSON(ctx, path("queue", "item", string(ticket)), &q,
		map[string]string{"tree": "id,cancelled,task[name],executable[number]"})
	switch {
	case apperr.KindOf(err) == apperr.NotFound:
		return engine.Lost, 0, nil
	case err != nil:
		return "", 0, err
	case q.Task.Name != name: // after a crash Jenkins gives the same ids again
		return engine.Lost, 0, nil
	case q.Cancelled:
		return engine.Aborted, 0, nil
	case q.Executable != nil:
		return engine.Running, q.Executable.Number, nil
	}
	return engine.Queued, 0, nil
}

// jitter is how long to wait before the next try, so that several at once part.
func jitter(try int) time.Duration {
	return time.Duration(20+rand.IntN(40<<try)) * time.Millisecond
}
