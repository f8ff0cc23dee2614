package main

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine/reconcile"
	"toaster.do/lib/jobs"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

// A program that waits for the end of a build is answered when its state changes. Between two looks the request holds
// neither a lock nor a transaction.
const (
	longestWait = 30 * time.Second       // below what web servers give a program
	waitLook    = 400 * time.Millisecond // between two looks at the database
	waitAsk     = 3 * time.Second        // between two at the engine, which all that wait share
	mostWaiting = 5                      // requests of one user
	waitWrite   = time.Second            // how long a request that would wait tries to be counted
)

// wait returns when the build's state is another than now, when nothing of it will change any more, or after as many
// seconds as ?wait= says. fresh is the request's context before the engine was asked anything.
func wait(r *web.Request, s *jobs.Service, fresh context.Context, number int) error {
	seconds, err := strconv.Atoi(r.URL.Query().Get("wait"))
	if err != nil || seconds < 0 {
		return apperr.New(apperr.InvalidArgument, "“wait” must be a number of seconds.", "").At("wait")
	}
	owner, id := r.Identity.User.ID, r.Param("id")
	first, err := s.Build(r.Context(), owner, id, number)
	if err != nil || first.Finalized || seconds == 0 {
		return err
	}
	ended, err := countWaiting(r, fresh)
	if ended == nil || err != nil {
		return err
	}
	defer ended()
	asked := time.Now()
	until := asked.Add(min(time.Duration(min(seconds, 60))*time.Second, longestWait))
	for now := asked; now.Before(until); now = time.Now() {
		select {
		case <-fresh.Done():
			return fresh.Err()
		case <-time.After(min(waitLook, until.Sub(now))):
		}
		look := db(r).Build
		if time.Since(asked) >= waitAsk {
			asked, look = time.Now(), s.Build
		}
		b, err := look(reconcile.RequestContext(fresh), owner, id, number)
		if err != nil {
			return err
		}
		// Of one that has ended it is told when its files are known.
		if b.Finalized || b.Open() && b.State != first.State {
			break
		}
	}
	r.Request = r.WithContext(reconcile.RequestContext(fresh))
	return nil
}

// countWaiting counts one more request of the user that waits, until ended is called; a process that dies is counted
// for as long as it could have waited. Too many are RateLimited; one that can't be counted doesn't wait: ended is nil.
func countWaiting(r *web.Request, fresh context.Context) (ended func(), err error) {
	limit := store.Limit{Key: "wait:" + store.UserObject(r.Identity.User.ID),
		Rates: []store.Rate{{Count: mostWaiting, Within: longestWait + time.Second}}}
	tried, err := db(r).Try(store.Patience(fresh, waitWrite), time.Now(), limit)
	switch apperr.KindOf(err) {
	case apperr.None:
	case apperr.Unavailable:
		return nil, nil
	case apperr.RateLimited:
		return nil, apperr.Wrap(apperr.RateLimited, err, "Too many of your requests are waiting for builds.",
			"Wait for %d builds at most, or ask without “wait”.", mostWaiting).Coded("too_many_waiting").
			In(apperr.Of(err).After)
	default:
		return nil, err
	}
	return func() {
		if err := db(r).Forgive(store.Patience(context.WithoutCancel(fresh), waitWrite), tried); err != nil {
			r.Log().Warn("a request is counted as waiting for some seconds more", slog.Any("error", err))
		}
	}, nil
}
