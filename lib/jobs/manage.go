package jobs

import (
	"context"

	"toaster.do/lib/engine/reconcile"
	"toaster.do/lib/store"
)

// What administrators do to other people's jobs.

// adminStore is what administrators' actions need of the database.
type adminStore interface {
	StopJob(ctx context.Context, owner int64, id string, e store.AuditEntry) error
	Suspend(ctx context.Context, id int64, e store.AuditEntry) error
	UnfinishedJobs(ctx context.Context) (jobs []*store.Job, err error)
}

// StopFor stops a job's builds in the name of an administrator, which the audit trail tells.
func (s *Service) StopFor(ctx context.Context, owner int64, id string, e store.AuditEntry) error {
	if err := s.Store.StopJob(ctx, owner, id, e); err != nil {
		return err
	}
	_, err := s.PushByID(ctx, owner, id)
	return err
}

// Suspend shuts a person out and stops their builds; see store.DB.Suspend. What the engine can't be told now it is told
// later.
func (s *Service) Suspend(ctx context.Context, person int64, e store.AuditEntry) error {
	if err := s.Store.Suspend(ctx, person, e); err != nil {
		return err
	}
	unsettled, err := s.Store.UnfinishedJobs(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := reconcile.CallContext(ctx)
	defer cancel()
	for _, job := range unsettled {
		if job.UserID == person && ctx.Err() == nil {
			s.Push(ctx, job)
		}
	}
	return nil
}
