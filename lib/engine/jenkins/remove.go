package jenkins

import (
	"context"
	"net/http"
	"time"

	"github.com/bndr/gojenkins"

	"toaster.do/lib/apperr"
)

// Remove deletes a job with its builds, and what is in its workspace. A job that is not toaster's is left alone: then
// ours is gone. See engine.Engine.
func (e *Engine) Remove(ctx context.Context, name string) error {
	j, err := e.findJob(ctx, name, "description,queueItem[id],nextBuildNumber,builds[number,building]{0,2}")
	if apperr.KindOf(err) == apperr.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if err := e.checkOwner(ctx, j, name); err == errNotOurs {
		e.logger.Warn("a job is not removed: it has the name of one of toaster's, but isn't", "job", name)
		return nil
	} else if err != nil {
		return err
	}
	if err := e.stopBuilds(ctx, j); err != nil {
		return err
	}
	if j.NextNumber > 1 {
		e.deleteWorkspace(ctx, name)
	}
	return e.deleteJob(ctx, name)
}

// stopBuilds takes the job out of the queue and stops its builds, and gives them a moment to end: Jenkins keeps who
// deletes a job with a running build waiting, and lets the build go on after 15 s.
func (e *Engine) stopBuilds(ctx context.Context, j *jobInfo) error {
	if err := e.cancel(ctx, j); err != nil {
		return err
	}
	// What has just left the queue has a number before it is listed.
	again := j.Queued != nil || newestNumber(j.Builds) < j.NextNumber-1
	for end := time.Now().Add(3 * time.Second); ; again = false {
		for _, b := range j.Builds {
			if !b.Building {
				continue
			}
			again = true
			if err := e.stop(ctx, j.Name, b.Number); err != nil {
				return err
			}
		}
		if !again || time.Now().After(end) || !sleep(ctx, 50*time.Millisecond) {
			return nil
		}
		now, err := e.findJob(ctx, j.Name, "builds[number,building]{0,2}")
		if apperr.KindOf(err) == apperr.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		j.Builds = now.Builds
	}
}

func newestNumber(builds []buildInfo) int {
	if len(builds) == 0 {
		return 0
	}
	return builds[0].Number
}

// deleteWorkspace empties the workspace, which Jenkins leaves on the agent when a job is deleted. An agent that is
// offline, or an account that may not, is no reason to keep the job.
func (e *Engine) deleteWorkspace(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, e.requester.limit/2)
	defer cancel()
	if _, err := e.requester.Post(ctx, path("job", name, "doWipeOutWorkspace"), nil, nil, nil); err != nil {
		e.logger.Info("the workspace of a removed job stays on its agent", "job", name, "error", err)
	}
}

// deleteJob deletes a job and makes sure that it is gone: what Jenkins answers when a view that lists by name is
// changed several times at once proves nothing.
func (e *Engine) deleteJob(ctx context.Context, name string) error {
	job := &gojenkins.Job{Jenkins: e.jenkins, Base: path("job", name)}
	for try := 0; ; try++ {
		_, err := job.Delete(ctx)
		if err != nil && statusOf(err) == 0 || apperr.KindOf(err) == apperr.PermissionDenied {
			return err
		}
		if _, lookErr := e.findJob(ctx, name, "disabled"); apperr.KindOf(lookErr) == apperr.NotFound {
			return nil
		} else if lookErr != nil {
			return lookErr
		}
		if err == nil || statusOf(err) == http.StatusBadRequest {
			err = apperr.Wrap(apperr.Unavailable, err, "The build service is still deleting the job.", tryLater)
		}
		if try == 2 || !sleep(ctx, jitter(try+2)) {
			return err
		}
	}
}
