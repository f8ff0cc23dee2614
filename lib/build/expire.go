package build

import (
	"context"
	"errors"
	"fmt"

	"toaster.do/lib/engine"
	"toaster.do/lib/fault"
)

// Expire removes logs and artifacts that are kept no longer, as far as the engine is an Expirer. What could not be removed
// is tried again next time.
func (s *Service) Expire(ctx context.Context) error {
	expirer, ok := s.Engine.(engine.Expirer)
	if !ok {
		return nil
	}
	aged, err := s.Store.Aged(ctx, s.Limits.Builds, s.Limits.Keep, s.Now())
	if err != nil {
		return err
	}
	var errs []error
	for _, a := range aged {
		err := expirer.Expire(ctx, a.EngineName, a.EngineNumber)
		if err == nil {
			err = s.Store.Expired(ctx, a, s.Now())
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("build %d of job %s was not removed: %w", a.Number, a.JobID, err))
		}
		if fault.KindOf(err) == fault.Unavailable && err != nil {
			break // the others would wait for the same
		}
	}
	return errors.Join(errs...)
}
