package jenkins

import (
	"context"
	"strconv"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
)

var (
	_ engine.Expirer = (*Engine)(nil)
	_ engine.Keeper  = (*Engine)(nil)
)

// Expire deletes a build that has ended. One that runs would go on, and keep its executor: it is a Conflict. See
// engine.Expirer.
func (e *Engine) Expire(ctx context.Context, name string, number int) error {
	if !engine.ValidName(name) || number < 1 {
		return errNoBuild
	}
	at := path("job", name, strconv.Itoa(number))
	var b keptRun
	_, err := e.requester.GetJSON(ctx, at, &b, map[string]string{"tree": "number,building,keepLog"})
	switch {
	case apperr.KindOf(err) == apperr.NotFound:
		return nil
	case err != nil:
		return err
	case b.Building:
		return apperr.New(apperr.FailedPrecondition, "A running build can't be deleted.", "Stop it first.")
	case b.KeepLog:
		return apperr.New(apperr.FailedPrecondition, "This build is marked to be kept in Jenkins.", "Release it there first.")
	}
	if _, err = e.requester.Post(ctx, at+"/doDelete", nil, nil, nil); apperr.KindOf(err) == apperr.NotFound {
		return nil
	}
	return err
}

// keptRun is a build, and whether Jenkins refuses to delete it.
type keptRun struct {
	buildInfo
	KeepLog bool `json:"keepLog"`
}

// Keep marks a build as kept, or not. Jenkins has a switch for that alone, so it is looked at first. See engine.Keeper.
func (e *Engine) Keep(ctx context.Context, name string, number int, keep bool) error {
	if !engine.ValidName(name) || number < 1 {
		return errNoBuild
	}
	at := path("job", name, strconv.Itoa(number))
	var b keptRun
	_, err := e.requester.GetJSON(ctx, at, &b, map[string]string{"tree": "number,keepLog"})
	if err == nil && b.KeepLog != keep {
		_, err = e.requester.Post(ctx, at+"/toggleLogKeep", nil, nil, nil)
	}
	if apperr.KindOf(err) == apperr.NotFound {
		return nil
	}
	return err
}
