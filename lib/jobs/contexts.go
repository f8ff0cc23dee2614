package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"sync"

	"toaster.do/lib/apperr"
	"toaster.do/lib/buildcontext"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/store"
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

// Readdress has jobs defined again that have an address of a build context, after those have become others: the site has
// another address, or another key.
func (s *Service) Readdress(ctx context.Context) error {
	if s.ContextAddress == nil {
		return nil
	}
	now, err := s.ContextAddress("", "")
	if err != nil {
		return nil // the site has no address: what agents have stays
	}
	mark := sha256.Sum256([]byte(now))
	return s.Store.Readdress(ctx, hex.EncodeToString(mark[:]))
}

// OpenContext opens the archive with the files that builds of a job, which are queued or running, need beside their
// script, by its ID. Where none does any more, or the files are not there, it is Gone.
func (s *Service) OpenContext(ctx context.Context, id, archive string) (*buildcontext.Tar, error) {
	owner, revisions, err := s.Store.OpenRevisions(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, number := range revisions {
		job, rev, err := s.stored(ctx, owner, id, number)
		if apperr.KindOf(err) == apperr.NotFound {
			continue // it was removed just now
		}
		if err != nil {
			return nil, err
		}
		t, err := s.archive(ctx, job, rev)
		if err != nil || t != nil && t.ID() == archive {
			return t, err
		}
	}
	return nil, apperr.New(apperr.Gone, "No build needs this build context: it has ended, or was stopped.",
		"Start the job again.")
}

// archive is what the script of a revision needs beside it; nil: nothing.
func (s *Service) archive(ctx context.Context, job *store.Job, rev *store.Revision) (*buildcontext.Tar, error) {
	if rev.Context == "" {
		return nil, nil
	}
	blend, src, _, err := s.translate(ctx, job, rev)
	if err != nil && (apperr.Of(err).Code == "context_not_found" || errors.Is(err, fs.ErrNotExist)) {
		return nil, lostContext(err)
	}
	if err != nil || !blend.External {
		return nil, err
	}
	t, err := buildcontext.NewTar(src.Context.Manifest(), s.Contexts.Files(job.UserID), blend.Files)
	if err != nil {
		return nil, err
	}
	if err := t.Check(); errors.Is(err, fs.ErrNotExist) {
		return nil, lostContext(err)
	} else if err != nil {
		return nil, err
	}
	return t, nil
}

func lostContext(err error) error {
	return apperr.Wrap(apperr.Gone, err, "Files of the build context are no longer on this server.",
		"Upload the context again, on the page of the job.")
}

// SweepContexts deletes what the build contexts of users have that no job needs.
func (s *Service) SweepContexts(ctx context.Context) error {
	needed, err := s.Store.Contexts(ctx)
	if err != nil {
		return err
	}
	return s.Contexts.Sweep(ctx, needed, s.Now())
}
