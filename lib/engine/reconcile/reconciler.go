// Package reconcile keeps the database and an engine in step.
package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
)

// jobStore is what a Reconciler needs of the database.
type jobStore interface {
	Build(ctx context.Context, owner int64, id string, number int) (*store.Build, error)
	Builds(ctx context.Context, owner int64, id string) (builds []*store.Build, err error)
	Job(ctx context.Context, owner int64, id string) (j *store.Job, err error)
	Jobs(ctx context.Context, owner int64, q store.JobQuery) (page store.JobPage, err error)
	SetEngineError(ctx context.Context, id string, message i18n.Text) error
	pushStore
	refreshStore
	resultStore
}

// Reconciler has the engine do what the database says, and writes down what the engine says of it. What cannot be done
// now is left over for the next request, or for Reconcile.
type Reconciler struct {
	Store  jobStore
	Engine engine.Engine
	Now    func() time.Time
	Logger *slog.Logger
	// Define makes the script; nil: jobs that the engine doesn't know are left over.
	Define func(*store.Job, *store.Revision) (engine.Job, error)
	MaxAge time.Duration // how old a state may be before a page asks again; 0: 3 s
}

const (
	requestTimeout = 1800 * time.Millisecond // how long a request waits for the engine
	startGap       = 300 * time.Millisecond  // how long a start can be in neither the engine's queue nor its builds
	defaultMaxAge  = 3 * time.Second         // of a state before a page asks again
	startTimeout   = 15 * time.Second        // how long another process's unanswered start is left alone
)

type deadlineKey struct{}

// RequestContext begins a request: what is done in ctx waits for the engine for requestTimeout at most, however many
// questions it has.
func RequestContext(ctx context.Context) context.Context {
	if ctx.Value(deadlineKey{}) != nil {
		return ctx
	}
	return context.WithValue(ctx, deadlineKey{}, time.Now().Add(requestTimeout))
}

// CallContext is for calls of the engine within a request.
func CallContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithDeadline(ctx, RequestContext(ctx).Value(deadlineKey{}).(time.Time))
}

// Jobs returns a page of an owner's jobs. At most one question goes to the engine, and only when something is open
// whose state is older than a few seconds.
func (r *Reconciler) Jobs(ctx context.Context, owner int64, q store.JobQuery) (store.JobPage, error) {
	ctx = RequestContext(ctx)
	page, err := r.Store.Jobs(ctx, owner, q)
	if err == nil && r.refreshStale(ctx, page.Jobs) {
		page, err = r.Store.Jobs(ctx, owner, q)
	}
	r.explainOutage(ctx, page.Jobs)
	return page, err
}

// Job returns an owner's job with its newest build; another person's job is NotFound.
func (r *Reconciler) Job(ctx context.Context, owner int64, id string) (*store.Job, error) {
	ctx = RequestContext(ctx)
	job, err := r.Store.Job(ctx, owner, id)
	if err == nil && r.refreshJob(ctx, job) {
		job, err = r.Store.Job(ctx, owner, id)
	}
	if err == nil {
		r.explainOutage(ctx, []*store.Job{job})
	}
	return job, err
}

// Builds returns a job's builds, newest first.
func (r *Reconciler) Builds(ctx context.Context, owner int64, id string) ([]*store.Build, error) {
	builds, err := r.Store.Builds(ctx, owner, id)
	r.explainOutage(ctx, nil, builds...)
	return builds, err
}

// Build returns one build, in the state that the engine gave at most a few seconds ago, unless it is unavailable.
func (r *Reconciler) Build(ctx context.Context, owner int64, id string, number int) (*store.Build, error) {
	ctx = RequestContext(ctx)
	b, err := r.Store.Build(ctx, owner, id, number)
	if err != nil || b.Finalized {
		return b, err
	}
	job, err := r.Job(ctx, owner, id)
	if err != nil {
		return nil, err
	}
	if b, err = r.Store.Build(ctx, owner, id, number); err == nil {
		applyEngineError(job, b)
		r.explainOutage(ctx, nil, b)
	}
	return b, err
}

// PushByID tells the engine what the database says of a job, and returns the job as it is then.
func (r *Reconciler) PushByID(ctx context.Context, owner int64, id string) (*store.Job, error) {
	job, err := r.Store.Job(ctx, owner, id)
	if err != nil {
		return nil, err
	}
	r.Push(ctx, job)
	return r.Store.Job(ctx, owner, id)
}

// Push is reconcileJob for requests: what the person wanted is stored already, so that an engine which is unavailable,
// slow, or refuses is noted and not an error of theirs.
func (r *Reconciler) Push(ctx context.Context, job *store.Job) {
	ctx, cancel := CallContext(ctx)
	defer cancel()
	if err := r.reconcileJob(ctx, job); err != nil {
		r.recordError(ctx, job, err)
	}
}

func (r *Reconciler) recordError(ctx context.Context, job *store.Job, err error) {
	r.Logger.Error("the engine was not told", "job", job.ID, "engine_job", job.EngineName, "error", err)
	f := apperr.Of(err)
	if f.Kind == apperr.Unavailable || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, engine.ErrOutage) {
		return // it comes back by itself, or it is no matter of this job
	}
	if err := r.Store.SetEngineError(context.WithoutCancel(ctx), job.ID, f.Message); err != nil {
		r.Logger.Error("the engine's refusal was not stored", "job", job.ID, "error", err)
	}
}
