package jobs

import (
	"context"
	"sync"

	"toaster.do/lib/apperr"
	"toaster.do/lib/dockerfile"
)

// readContext is a build context that was read: one request needs it several times.
type readContext struct {
	mu     sync.Mutex
	owner  int64
	digest string
	it     *dockerfile.Context
}

// context returns an owner's build context by its digest; nil for the empty one.
func (s *Service) context(owner int64, digest string) (*dockerfile.Context, error) {
	if digest == "" {
		return nil, nil
	}
	s.read.mu.Lock()
	defer s.read.mu.Unlock()
	if s.read.it == nil || s.read.owner != owner || s.read.digest != digest {
		m, files, err := s.Contexts.Get(owner, digest)
		if err != nil && apperr.KindOf(err) == apperr.NotFound { // its files may have been sent just now
			if err = s.Contexts.Complete(owner, digest); err == nil {
				m, files, err = s.Contexts.Get(owner, digest)
			}
		}
		if err != nil && apperr.KindOf(err) == apperr.NotFound {
			return nil, apperr.Wrap(apperr.InvalidArgument, err, "The build context is no longer available.",
				"Upload it again.").At("context").Coded("context_not_found")
		}
		if err != nil {
			return nil, err
		}
		s.read.owner, s.read.digest, s.read.it = owner, digest, dockerfile.NewContext(m, files)
	}
	return s.read.it, nil
}

// SweepContexts deletes what the build contexts of users have that no job needs.
func (s *Service) SweepContexts(ctx context.Context) error {
	needed, err := s.Store.Contexts(ctx)
	if err != nil {
		return err
	}
	return s.Contexts.Sweep(ctx, needed, s.Now())
}
