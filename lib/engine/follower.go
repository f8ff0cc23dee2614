package engine

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
)

// Follower keeps the database and an engine in step: what a person wanted is told to the engine, and what the engine says is
// written down. What cannot be done now is left over for the next request, or for Reconcile.
type Follower struct {
	Store  *store.DB
	Engine Engine
	Now    func() time.Time
	Logger *slog.Logger
	Define func(*store.Job, *store.Revision) (Job, error) // makes the script; nil: jobs that the engine doesn't know are left over
	Fresh  time.Duration                                  // how old a state may be before a page asks again; 0: 3 s
}

// How long a request waits for the engine, how old a state may usually be before a page asks again, and how long
// another process's unanswered start is left alone.
const (
	engineTime    = 1800 * time.Millisecond
	startWindow   = 300 * time.Millisecond // how long a start can be in neither the engine's queue nor its builds
	fresh         = 3 * time.Second
	startPatience = 15 * time.Second
)

type budgetKey struct{}

// Budget begins a request: what is done in ctx waits for the engine for engineTime at most, however many questions it has.
func Budget(ctx context.Context) context.Context {
	if ctx.Value(budgetKey{}) != nil {
		return ctx
	}
	return context.WithValue(ctx, budgetKey{}, time.Now().Add(engineTime))
}

// Context is for calls of the engine within a request.
func Context(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithDeadline(ctx, Budget(ctx).Value(budgetKey{}).(time.Time))
}

// Jobs returns a page of an owner's jobs. At most one question goes to the engine, and only when something is open whose
// state is older than a few seconds.
func (s *Follower) Jobs(ctx context.Context, owner int64, q store.JobQuery) (store.JobPage, error) {
	ctx = Budget(ctx)
	page, err := s.Store.Jobs(ctx, owner, q)
	if err == nil && s.refresh(ctx, page.Jobs) {
		page, err = s.Store.Jobs(ctx, owner, q)
	}
	s.outage(ctx, page.Jobs)
	return page, err
}

// Job returns an owner's job with its newest build; another person's job is NotFound.
func (s *Follower) Job(ctx context.Context, owner int64, id string) (*store.Job, error) {
	ctx = Budget(ctx)
	job, err := s.Store.Job(ctx, owner, id)
	if err == nil && s.watch(ctx, job) {
		job, err = s.Store.Job(ctx, owner, id)
	}
	if err == nil {
		s.outage(ctx, []*store.Job{job})
	}
	return job, err
}

// Builds returns a job's builds, newest first.
func (s *Follower) Builds(ctx context.Context, owner int64, id string) ([]*store.Build, error) {
	builds, err := s.Store.Builds(ctx, owner, id)
	s.outage(ctx, nil, builds...)
	return builds, err
}

// Build returns one build, in the state that the engine gave at most a few seconds ago, unless it is away.
func (s *Follower) Build(ctx context.Context, owner int64, id string, number int) (*store.Build, error) {
	ctx = Budget(ctx)
	b, err := s.Store.Build(ctx, owner, id, number)
	if err != nil || b.Finalized {
		return b, err
	}
	job, err := s.Job(ctx, owner, id)
	if err != nil {
		return nil, err
	}
	if b, err = s.Store.Build(ctx, owner, id, number); err == nil {
		refused(job, b)
		s.outage(ctx, nil, b)
	}
	return b, err
}

// Changed tells the engine what the database says of a job, and returns the job as it is then.
func (s *Follower) Changed(ctx context.Context, owner int64, id string) (*store.Job, error) {
	job, err := s.Store.Job(ctx, owner, id)
	if err != nil {
		return nil, err
	}
	s.Push(ctx, job)
	return s.Store.Job(ctx, owner, id)
}

// Push is advance for requests: what the person wanted is stored already, so that an engine which is away,
// slow, or refuses is noted and not an error of theirs.
func (s *Follower) Push(ctx context.Context, job *store.Job) {
	ctx, cancel := Context(ctx)
	defer cancel()
	if err := s.advance(ctx, job); err != nil {
		s.note(ctx, job, err)
	}
}

func (s *Follower) note(ctx context.Context, job *store.Job, err error) {
	s.Logger.Error("the engine was not told", "job", job.ID, "engine_job", job.EngineName, "error", err)
	f := apperr.Of(err)
	if f.Kind == apperr.Unavailable || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrAway) {
		return // it comes back by itself, or it is no matter of this job
	}
	if err := s.Store.SetEngineError(context.WithoutCancel(ctx), job.ID, f.Message); err != nil {
		s.Logger.Error("the engine's refusal was not stored", "job", job.ID, "error", err)
	}
}
