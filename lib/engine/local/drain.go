package local

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
)

// drainStore is what draining needs of the database.
type drainStore interface {
	LocalDrain(ctx context.Context, runners []string) error
	LocalOpen(ctx context.Context) (running []store.LocalBuild, waiting int, err error)
}

// Drain has the runners of this host that live take no more builds, and returns when all have ended, which they do with
// the builds that they have. One that begins meanwhile is none of them. Say is told what it waits for. After the limit,
// unless that is 0, or when ctx ends, it is a FailedPrecondition that names the builds that still run: the runners go
// on as they were asked to.
func Drain(ctx context.Context, db drainStore, dir string, limit time.Duration, say func(string)) error {
	alive := func() (ids []string) {
		AsRoot(func() error { ids = liveRunnerIDs(dir); return nil })
		return ids
	}
	left := alive()
	if len(left) == 0 {
		say("No runner is running.")
		return nil
	}
	if err := db.LocalDrain(context.WithoutCancel(ctx), left); err != nil {
		return err
	}
	end := ctx
	if limit > 0 {
		var cancel context.CancelFunc
		end, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	for said := false; ; {
		// The builds first: a runner ends only after it has written down their ends.
		builds, err := buildsOf(context.WithoutCancel(ctx), db, left)
		if err != nil {
			return err
		}
		now := alive()
		left = slices.DeleteFunc(left, func(id string) bool { return !slices.Contains(now, id) })
		if len(left) == 0 {
			say("The runner has ended, and no build was interrupted.")
			return nil
		}
		if len(builds) > 0 && !said {
			said = true
			say("The runner takes no more builds. It ends with those that run: " + strings.Join(builds, ", ") + ".")
		}
		select {
		case <-end.Done():
			what := i18n.T("The runner has not ended yet.")
			if len(builds) > 0 {
				what = i18n.T("The runner has not ended yet. These builds run: %s.", strings.Join(builds, ", "))
			}
			return apperr.New(apperr.FailedPrecondition, "%s",
				"The runner takes no new builds, and stops after the running ones. Wait again. If you stop it now, its builds "+
					"are interrupted and queued again once.",
				what)
		case <-time.After(tick):
		}
	}
}

// buildsOf names the builds that runners have.
func buildsOf(ctx context.Context, db drainStore, runners []string) (names []string, err error) {
	running, _, err := db.LocalOpen(ctx)
	for _, b := range running {
		if slices.Contains(runners, b.Runner) {
			names = append(names, fmt.Sprintf("build %d of %s", b.Number, b.Job))
		}
	}
	return names, err
}
