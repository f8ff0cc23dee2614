package reconcile

import (
	"cmp"
	"context"
	"errors"
	"time"

	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
)

// refreshStore is what asking the engine needs of the database.
type refreshStore interface {
	ClearEngineRevision(ctx context.Context, id string) error
	HighestEngineNumber(ctx context.Context, id string) (n int, err error)
	Job(ctx context.Context, owner int64, id string) (j *store.Job, err error)
	Observe(ctx context.Context, id string, seen time.Time, builds []store.Observation) error
	SetEngineError(ctx context.Context, id string, message i18n.Text) error
	UnfinalizedBuilds(ctx context.Context, id string) (builds []*store.Build, err error)
}

// refreshJob brings one job up to date for its page: what the engine says, how far the log is, what the engine is still
// to do. It reports whether the database may have changed.
func (r *Reconciler) refreshJob(ctx context.Context, job *store.Job) bool {
	asked := r.refreshStale(ctx, []*store.Job{job})
	ended := job.Last != nil && !job.Last.Open() && !job.Last.Finalized
	if !asked && !ended {
		return false
	}
	ctx, cancel := CallContext(ctx)
	defer cancel()
	if err := r.scanRunningLogs(ctx, job); err != nil {
		r.Logger.Warn("the log was not searched for steps", "job", job.ID, "error", err)
	}
	if job, err := r.Store.Job(ctx, job.UserID, job.ID); err == nil {
		if err := r.reconcileJob(ctx, job); err != nil {
			r.recordError(ctx, job, err)
		}
	}
	return true
}

// refreshStale asks the engine, once, about those of the jobs that can have changed and were not asked about in
// the last seconds. It reports whether it asked. An engine that is unavailable changes nothing: the page says how
// old its states are.
func (r *Reconciler) refreshStale(ctx context.Context, jobs []*store.Job) bool {
	var stale []*store.Job
	for _, job := range jobs {
		if job.Last != nil && !job.Last.Finalized && elapsed(r.Now(), job.SeenAt) >= cmp.Or(r.MaxAge, defaultMaxAge) {
			stale = append(stale, job)
		}
	}
	if len(stale) == 0 {
		return false
	}
	ctx, cancel := CallContext(ctx)
	defer cancel()
	if err := r.updateFromEngine(ctx, stale...); err != nil {
		r.Logger.Warn("the engine was not asked", "jobs", len(stale), "error", err)
	}
	return true
}

// updateFromEngine asks the engine about jobs, in one round trip, and writes down what it said. What the database
// knows is read before: a build that was started in between is not taken for one that the engine forgot.
func (r *Reconciler) updateFromEngine(ctx context.Context, jobs ...*store.Job) error {
	if len(jobs) == 0 {
		return nil
	}
	names, known := make([]string, len(jobs)), make([]knownStatus, len(jobs))
	for i, job := range jobs {
		var err error
		if known[i], err = r.loadStatus(ctx, job); err != nil {
			return err
		}
		names[i] = job.EngineName
	}
	status, err := r.Engine.Status(ctx, names...)
	if err != nil {
		return err
	}
	now := r.Now()
	var errs []error
	for _, k := range known {
		st, there := status[k.job.EngineName]
		errs = append(errs, r.noteDisabled(ctx, k.job, st, there), r.applyStatus(ctx, k, st, there, now))
	}
	return errors.Join(errs...)
}

// knownStatus is what the database says of a job before the engine is asked.
type knownStatus struct {
	job     *store.Job
	pending []*store.Build
	highest int // engine number of any build
}

func (r *Reconciler) loadStatus(ctx context.Context, job *store.Job) (k knownStatus, err error) {
	k.job = job
	if k.pending, err = r.Store.UnfinalizedBuilds(ctx, job.ID); err != nil {
		return k, err
	}
	k.highest, err = r.Store.HighestEngineNumber(ctx, job.ID)
	return k, err
}

// applyStatus writes down what the engine's status says of a job; there says that the engine knows the job.
func (r *Reconciler) applyStatus(
	ctx context.Context, k knownStatus, st engine.Status, there bool, now time.Time,
) error {
	var seen []store.Observation
	for _, b := range k.pending {
		if !b.Open() {
			continue
		}
		o := store.Observation{Build: b, Ticket: b.Ticket, AskedAt: b.AskedAt, Removed: !there}
		if !updateBuild(b, st, k.highest, now) && !(there && r.traceStart(ctx, k, b, now)) {
			markLost(b, there, now)
		} else if !r.examineEnded(ctx, k.job, b) {
			continue
		}
		// A start whose answer is still open is left to the process that asks.
		if b.Ticket != "" || o.Ticket != "" || !b.Open() {
			seen = append(seen, o)
		}
	}
	ctx = context.WithoutCancel(ctx) // what the engine said is written down
	if err := r.Store.Observe(ctx, k.job.ID, now, seen); err != nil {
		return err
	}
	if !there && k.job.EngineRevision > 0 {
		r.Logger.Warn("a job was deleted or renamed on the build service, and is created again",
			"job", k.job.ID, "engine_job", k.job.EngineName)
		return r.Store.ClearEngineRevision(ctx, k.job.ID)
	}
	return nil
}

// noteDisabled notes that somebody has disabled a job on the engine itself, which keeps it from being started, or has
// enabled it again.
func (r *Reconciler) noteDisabled(ctx context.Context, job *store.Job, st engine.Status, there bool) error {
	var problem i18n.Text
	if there && !st.Enabled && job.EngineEnabled && job.Enabled {
		problem = i18n.T(engine.DisabledThere)
	}
	if !there || problem == job.EngineError || problem.IsZero() && job.EngineError != i18n.T(engine.DisabledThere) {
		return nil
	}
	return r.Store.SetEngineError(context.WithoutCancel(ctx), job.ID, problem)
}

// traceStart asks an engine that is a Tracer what became of a start that its status doesn't show. It reports whether
// the start is accounted for, also when the engine could not be asked.
func (r *Reconciler) traceStart(ctx context.Context, k knownStatus, b *store.Build, now time.Time) bool {
	tracer, ok := r.Engine.(engine.Tracer)
	if !ok || b.EngineNumber > 0 {
		return false
	}
	state, number, err := tracer.Trace(ctx, k.job.EngineName, engine.Ticket(b.Ticket))
	if err == nil && state == engine.Lost {
		// It may have become a build, and its ticket been forgotten, after the engine told of its builds.
		var all map[string]engine.Status
		if all, err = r.Engine.Status(ctx, k.job.EngineName); err == nil {
			return updateBuild(b, all[k.job.EngineName], k.highest, now)
		}
	}
	if err != nil {
		r.Logger.Warn("a start was not traced", "job", k.job.ID, "ticket", b.Ticket, "error", err)
		return true
	}
	switch state {
	case engine.Running:
		b.EngineNumber, b.State, b.StartedAt = number, engine.Running, now
		b.Position, b.Reason = 0, i18n.Text{}
	case engine.Aborted:
		reason := i18n.T("Removed from the queue of the build service.")
		if b.StopRequested {
			reason = b.Reason
		}
		endBuild(b, engine.Aborted, reason, now)
	}
	return state != engine.Lost
}
