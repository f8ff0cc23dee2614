package jobs

import (
	"context"
	"errors"
	"hash/fnv"
	"slices"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
)

// scheduledFailures is after how many scheduled builds that failed, one after the other, a schedule rests.
const scheduledFailures = 3

// scheduledAtOnce is how many builds of schedules a sync starts, each of which may have to ask registries.
const scheduledAtOnce = 5

// postponed is when a scheduled build is tried again that could not be queued now: in 10 to 30 minutes, as its job's id
// decides.
func postponed(job string, now time.Time) time.Time {
	return now.Add(10*time.Minute + time.Duration(spread(job)%uint64(20*time.Minute))).Truncate(time.Second).UTC()
}

// spread is a number that a job's id decides.
func spread(job string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(job)) // it never fails
	return h.Sum64()
}

// nextTime is when a job is built next: at a time of the day, and on a day, that its id decides, so that not all jobs
// are built at once. It is at least half a period ahead of now.
func nextTime(job string, every store.Every, now time.Time) time.Time {
	period := map[store.Every]time.Duration{store.EveryDay: 24 * time.Hour, store.EveryWeek: 7 * 24 * time.Hour,
		store.EveryMonth: 30 * 24 * time.Hour}[every]
	if period == 0 {
		return time.Time{}
	}
	offset := time.Duration(spread(job) % uint64(period))
	next := time.Unix(0, 0).Add(now.Sub(time.Unix(0, 0)).Truncate(period)).Add(offset)
	for next.Before(now.Add(period / 2)) {
		next = next.Add(period)
	}
	return next.Truncate(time.Minute).UTC()
}

// StartDue queues the builds of jobs whose schedules say so, a few at a time: after a pause of the site they don't fill
// the queue. A job whose last scheduled builds have failed is left out, until one of it succeeds or its schedule is set
// again. What passes postpones a build; why one was not queued, the job's page says.
func (s *Service) StartDue(ctx context.Context) error {
	due, err := s.Store.DueSchedules(ctx, s.Now(), scheduledAtOnce)
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range due {
		if ctx.Err() != nil {
			return errors.Join(append(errs, ctx.Err())...)
		}
		errs = append(errs, s.startDue(ctx, d))
	}
	return errors.Join(errs...)
}

// passing are the kinds of refusals that are gone some time later.
var passing = []apperr.Kind{apperr.Unavailable, apperr.ResourceExhausted, apperr.RateLimited, apperr.StorageFull}

// startDue builds a job that is due, or notes why it is not built. The error is one of this site's.
func (s *Service) startDue(ctx context.Context, d store.Due) error {
	again, next := postponed(d.JobID, s.Now()), nextTime(d.JobID, d.Every, s.Now())
	taken, err := s.Store.TakeDue(ctx, d, again)
	if err != nil || !taken {
		return err
	}
	var problem i18n.Text
	if d.Failures >= scheduledFailures {
		problem = i18n.T("The last %d scheduled builds failed. Scheduled builds continue after a build has succeeded.",
			d.Failures)
	} else if err = s.buildDue(ctx, d); err != nil {
		e := apperr.Of(err)
		late := ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded)
		if late {
			e = apperr.New(apperr.Unavailable, "The server had no time left for the scheduled build.",
				"It is tried again soon.")
		}
		problem = i18n.T("%s %s", e.Message, e.Advice)
		if slices.Contains(passing, e.Kind) {
			next = again
		}
		if e.Kind != apperr.Internal && !late {
			err = nil // it is the job's, or passes
		}
	}
	return errors.Join(err, s.Store.SettleDue(context.WithoutCancel(ctx), d.JobID, again, next, problem))
}

func (s *Service) buildDue(ctx context.Context, d store.Due) error {
	// A rebuild is for what is new: also the images that the Dockerfile names. What can't be found now stays.
	if _, _, err := s.LookUpImages(ctx, d.Owner, d.JobID); err != nil && apperr.KindOf(err) != apperr.FailedPrecondition {
		s.Logger.Warn("images were not looked up for a scheduled build", "job", d.JobID, "error", err)
	}
	b, already, err := s.Start(ctx, d.Owner, d.JobID, nil)
	if err != nil || already {
		return err
	}
	return s.Store.SetScheduled(context.WithoutCancel(ctx), b)
}

// PackageChanges returns the packages of a build that differ from those of the last build before it that succeeded, and
// the number of that one; 0: there is none, or the files of one of the two can't be read.
func (s *Service) PackageChanges(ctx context.Context, owner int64, id string, number int) (list []Change, since int,
	err error) {
	job, err := s.Store.Job(ctx, owner, id)
	if err != nil {
		return nil, 0, err
	}
	builds, err := s.Builds(ctx, owner, id)
	if err != nil {
		return nil, 0, err
	}
	for _, b := range builds {
		if b.Number < number && b.State == store.Succeeded {
			since = b.Number
			break
		}
	}
	if since == 0 {
		return nil, 0, nil
	}
	before, err := s.side(ctx, job, since)
	if err != nil {
		return nil, 0, err
	}
	now, err := s.side(ctx, job, number)
	if err != nil || !before.Missing.IsZero() || !now.Missing.IsZero() {
		return nil, 0, err
	}
	return changes(before.Packages, now.Packages), since, nil
}
