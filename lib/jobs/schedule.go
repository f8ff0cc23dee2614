package jobs

import (
	"context"
	"errors"
	"hash/fnv"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
)

// scheduledFailures is after how many scheduled builds that failed, one after the other, a schedule rests.
const scheduledFailures = 3

// nextTime is when a job is built next: at a time of the day, and on a day, that its id decides, so that not all jobs
// are built at once. It is at least half a period ahead of now.
func nextTime(job string, every store.Every, now time.Time) time.Time {
	period := map[store.Every]time.Duration{store.EveryDay: 24 * time.Hour, store.EveryWeek: 7 * 24 * time.Hour,
		store.EveryMonth: 30 * 24 * time.Hour}[every]
	if period == 0 {
		return time.Time{}
	}
	h := fnv.New64a()
	h.Write([]byte(job)) // it never fails
	offset := time.Duration(h.Sum64() % uint64(period))
	next := time.Unix(0, 0).Add(now.Sub(time.Unix(0, 0)).Truncate(period)).Add(offset)
	for next.Before(now.Add(period / 2)) {
		next = next.Add(period)
	}
	return next.Truncate(time.Minute).UTC()
}

// StartDue queues the builds of jobs whose schedules say so. A job whose last scheduled builds have failed is left out,
// until one of it succeeds or its schedule is set again; why one was not built, its page says.
func (s *Service) StartDue(ctx context.Context) error {
	due, err := s.Store.DueSchedules(ctx, s.Now(), 100)
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range due {
		if ctx.Err() != nil {
			return errors.Join(append(errs, ctx.Err())...)
		}
		taken, err := s.Store.TakeDue(ctx, d, nextTime(d.JobID, d.Every, s.Now()))
		if err == nil && taken {
			err = s.startDue(ctx, d)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *Service) startDue(ctx context.Context, d store.Due) error {
	if d.Failures >= scheduledFailures {
		return s.Store.SetScheduleProblem(ctx, d.JobID, i18n.T(
			"The last %d scheduled builds failed. Scheduled builds continue after a build has succeeded.", d.Failures))
	}
	// A rebuild is for what is new: also the images that the Dockerfile names. What can't be found now stays.
	if _, _, err := s.LookUpImages(ctx, d.Owner, d.JobID); err != nil && apperr.KindOf(err) != apperr.FailedPrecondition {
		s.Logger.Warn("images were not looked up for a scheduled build", "job", d.JobID, "error", err)
	}
	b, already, err := s.Start(ctx, d.Owner, d.JobID, nil)
	switch {
	case err != nil && apperr.KindOf(err) == apperr.Internal:
		return err
	case err != nil:
		e := apperr.Of(err)
		return s.Store.SetScheduleProblem(ctx, d.JobID, i18n.T("%s %s", e.Message, e.Advice))
	case already:
		return nil
	}
	return s.Store.SetScheduled(ctx, b)
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
