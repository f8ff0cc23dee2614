package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/engine/reconcile"
	"toaster.do/lib/store"
)

// expiryStore is what expiring and keeping builds needs of the database.
type expiryStore interface {
	Build(ctx context.Context, owner int64, id string, number int) (*store.Build, error)
	ClaimExpired(ctx context.Context, a store.ExpiredBuild) (claimed bool, err error)
	ExpiredBuilds(ctx context.Context, l store.Limits, keep int,
		now time.Time) (found []store.ExpiredBuild, err error)
	MarkExpired(ctx context.Context, a store.ExpiredBuild, now time.Time) error
	SetKept(ctx context.Context, owner int64, id string, number int, kept bool, synced bool) error
	UnclaimExpired(ctx context.Context, a store.ExpiredBuild, kept bool) error
}

// Expire removes logs and artifacts that are kept no longer, as far as the engine is an Expirer. What could not be
// removed is tried again next time; what somebody has the engine keep is kept here, too.
func (s *Service) Expire(ctx context.Context) error {
	expirer, ok := s.Engine.(engine.Expirer)
	if !ok {
		return nil
	}
	expired, err := s.Store.ExpiredBuilds(ctx, s.Limits.Builds, s.Limits.Keep, s.Now())
	if err != nil {
		return err
	}
	var errs []error
	for _, a := range expired {
		err := s.expire(ctx, expirer, a)
		if err != nil {
			errs = append(errs, fmt.Errorf("build %d of job %s was not removed: %w", a.Number, a.JobID, err))
		}
		if apperr.KindOf(err) == apperr.Unavailable && err != nil {
			break // the others would wait for the same
		}
	}
	return errors.Join(errs...)
}

func (s *Service) expire(ctx context.Context, expirer engine.Expirer, a store.ExpiredBuild) error {
	claimed, err := s.Store.ClaimExpired(ctx, a)
	if err != nil || !claimed {
		return err
	}
	err = expirer.Expire(ctx, a.EngineName, a.EngineNumber)
	ctx = context.WithoutCancel(ctx)
	if err == nil {
		return s.Store.MarkExpired(ctx, a, s.Now())
	}
	if apperr.KindOf(err) == apperr.FailedPrecondition {
		return s.Store.UnclaimExpired(ctx, a, true)
	}
	return errors.Join(err, s.Store.UnclaimExpired(ctx, a, false))
}

// Keep has log and artifacts of a build kept for good, or lets it go again.
func (s *Service) Keep(ctx context.Context, owner int64, id string, number int, keep bool) (*store.Build, error) {
	ctx = reconcile.RequestContext(ctx)
	_, hasEngineKeeper := s.Engine.(engine.Keeper)
	if err := s.Store.SetKept(ctx, owner, id, number, keep, !hasEngineKeeper); err != nil {
		return nil, err
	}
	if _, err := s.PushByID(ctx, owner, id); err != nil {
		return nil, err
	}
	return s.Store.Build(ctx, owner, id, number)
}
