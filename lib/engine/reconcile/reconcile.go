package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
)

// pushStore is what telling the engine needs of the database.
type pushStore interface {
	settingStore
	BuildSecrets(ctx context.Context, b *store.Build) (sealed []byte, err error)
	ClaimStart(ctx context.Context, b *store.Build, now time.Time, patience time.Duration) (bool, error)
	ClearEngineRevision(ctx context.Context, id string) error
	DeleteJob(ctx context.Context, id string, now time.Time) error
	Job(ctx context.Context, owner int64, id string) (j *store.Job, err error)
	KeptOutOfSync(ctx context.Context, id string) (builds []*store.Build, err error)
	Revision(ctx context.Context, owner int64, id string, number int) (*store.Revision, error)
	SetEngineEnabled(ctx context.Context, id string, enabled bool) error
	SetEngineKept(ctx context.Context, b *store.Build) error
	SetEngineRevision(ctx context.Context, id string, revision int) error
	SetTicket(ctx context.Context, b *store.Build, ticket string) error
	UnclaimStart(ctx context.Context, b *store.Build) error
	UnfinalizedBuilds(ctx context.Context, id string) (builds []*store.Build, err error)
	UnfinishedJobs(ctx context.Context) (jobs []*store.Job, err error)
}

// reconcileJob tells the engine what the database says of a job and the engine doesn't know yet: remove it, define
// it, switch it, stop and start its builds, fetch the results of those that have ended. Each step is written
// down after it was taken, and taking one twice does no harm, so that it can be cut off anywhere and
// begun again by another process.
func (r *Reconciler) reconcileJob(ctx context.Context, job *store.Job) error {
	if !job.RemovedAt.IsZero() {
		// What it runs counts for its owner, also when nobody has looked yet.
		if err := r.updateFromEngine(ctx, job); err != nil {
			return err
		}
		if err := r.Engine.Remove(ctx, job.EngineName); err != nil {
			return err
		}
		return r.Store.DeleteJob(ctx, job.ID, r.Now())
	}
	if job.EngineRevision < job.Revision && r.Define == nil {
		return nil
	}
	if err := r.defineJob(ctx, job); err != nil {
		if errors.Is(err, errUnfetched) {
			return nil // there is nothing to build before
		}
		return err
	}
	pending, err := r.Store.UnfinalizedBuilds(ctx, job.ID)
	if err != nil {
		return err
	}
	var errs []error
	waits := false
	for _, b := range pending {
		switch {
		case b.Open() && b.StopRequested:
			waits = true
			err = r.stopBuild(ctx, job, b)
		case b.State == engine.Queued && b.Ticket == "" && (waits || b.Fetching):
			err = nil // what is before it ends or begins first: the engine would join it to a start that waits
		case b.State == engine.Queued && b.Ticket == "":
			err = r.startBuild(ctx, job, b)
		case !b.Open():
			err = r.finalize(ctx, job, b)
		default:
			err = nil
		}
		waits = waits || b.State == engine.Queued
		errs = append(errs, err)
	}
	return errors.Join(append(errs, r.syncKept(ctx, job))...)
}

// syncKept tells an engine that is a Keeper which builds are to be kept.
func (r *Reconciler) syncKept(ctx context.Context, job *store.Job) error {
	keeper, ok := r.Engine.(engine.Keeper)
	if !ok {
		return nil
	}
	outdated, err := r.Store.KeptOutOfSync(ctx, job.ID)
	if err != nil {
		return err
	}
	for _, b := range outdated {
		if err := keeper.Keep(ctx, job.EngineName, b.EngineNumber, b.Kept); err != nil {
			return err
		}
		if err := r.Store.SetEngineKept(context.WithoutCancel(ctx), b); err != nil {
			return err
		}
	}
	return nil
}

// defineJob gives the engine the newest revision, and tells it whether builds may start.
func (r *Reconciler) defineJob(ctx context.Context, job *store.Job) error {
	if job.EngineRevision < job.Revision {
		if err := r.createJob(ctx, job); err != nil {
			return err
		}
	}
	if job.EngineEnabled == job.Enabled {
		return nil
	}
	if err := r.Engine.SetEnabled(ctx, job.EngineName, job.Enabled); err != nil {
		return err
	}
	return r.Store.SetEngineEnabled(ctx, job.ID, job.Enabled)
}

// errUnfetched is of a job whose repository was not fetched yet.
var errUnfetched = errors.New("the repository was not fetched yet")

func (r *Reconciler) createJob(ctx context.Context, job *store.Job) error {
	rev, err := r.Store.Revision(ctx, job.UserID, job.ID, job.Revision)
	if err != nil {
		return err
	}
	if len(rev.Dockerfile) == 0 {
		return errUnfetched
	}
	defined, err := r.Define(job, rev)
	if err != nil {
		return err
	}
	if err := r.Engine.Create(ctx, defined); err != nil {
		return err
	}
	return r.Store.SetEngineRevision(context.WithoutCancel(ctx), job.ID, job.Revision)
}

// startBuild asks the engine for a build, unless another process is at it. When that one never wrote the answer
// down, the engine may have started the build all the same: look before asking again.
func (r *Reconciler) startBuild(ctx context.Context, job *store.Job, b *store.Build) error {
	if job.EngineError == i18n.T(engine.DisabledThere) {
		return nil // until the engine shows that it is enabled
	}
	if !b.AskedAt.IsZero() {
		if elapsed(r.Now(), b.AskedAt) < startTimeout {
			return nil
		}
		// Twice: for a moment a start is neither in Jenkins's queue nor among its builds.
		for look := range 2 {
			if look > 0 {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(startGap):
				}
			}
			if err := r.updateFromEngine(ctx, job); err != nil {
				return err
			}
			if now, err := r.Store.Build(ctx, job.UserID, job.ID, b.Number); err != nil || now.Ticket != "" || !now.Open() {
				return err
			}
		}
	}
	mine, err := r.Store.ClaimStart(ctx, b, r.Now(), startTimeout)
	if err != nil || !mine {
		return err
	}
	ticket, err := r.start(ctx, job, b)
	switch {
	case err == nil:
		return r.Store.SetTicket(context.WithoutCancel(ctx), b, string(ticket))
	case apperr.KindOf(err) == apperr.NotFound:
		// Somebody removed the job from the engine: the next round defines it again.
		return errors.Join(r.Store.ClearEngineRevision(ctx, job.ID), r.Store.UnclaimStart(ctx, b))
	case isRefused(err):
		return errors.Join(err, r.Store.UnclaimStart(ctx, b))
	}
	return err // it may have been started: the claim stays until that is known
}

// start asks the engine for a build, with the secrets that wait for it.
func (r *Reconciler) start(ctx context.Context, job *store.Job, b *store.Build) (engine.Ticket, error) {
	secrets, err := r.Store.BuildSecrets(ctx, b)
	if err != nil {
		return "", err
	}
	if secrets == nil {
		return r.Engine.Start(ctx, job.EngineName)
	}
	taker, ok := r.Engine.(engine.SecretTaker)
	if !ok { // the site had another engine
		return "", apperr.New(apperr.FailedPrecondition,
			"The builds of this site run on Jenkins, which can't be given secrets yet.", "Stop this build.")
	}
	return taker.StartWith(ctx, job.EngineName, secrets)
}

// isRefused tells an error after which the engine has certainly not done what it was asked for.
func isRefused(err error) bool {
	k := apperr.KindOf(err)
	return k == apperr.FailedPrecondition || k == apperr.PermissionDenied || k == apperr.InvalidArgument
}

// stopBuild ends a build where it is now: a start that waited when its owner looked may run by the time that the
// engine is told.
func (r *Reconciler) stopBuild(ctx context.Context, job *store.Job, b *store.Build) error {
	if b.Ticket == "" && elapsed(r.Now(), b.AskedAt) < startTimeout {
		return nil // its start is on its way; the ticket tells what to stop
	}
	for range 2 {
		if err := r.updateFromEngine(ctx, job); err != nil {
			return err
		}
		now, err := r.Store.Build(ctx, job.UserID, job.ID, b.Number)
		if err != nil || !now.Open() {
			return err
		}
		err = r.Engine.Stop(ctx, job.EngineName, now.EngineNumber)
		if err != nil && apperr.KindOf(err) != apperr.NotFound {
			return err
		}
	}
	return r.updateFromEngine(ctx, job)
}

// jobTimeout is how long Reconcile stays with one job: longer than a call that the engine doesn't answer.
const jobTimeout = 15 * time.Second

// resumeKey is under which name the database has the job at which Reconcile had to stop.
const resumeKey = "reconcile.stopped"

// Reconcile brings database and engine together again, whatever happened to either: for cron, every minute. It returns
// how many jobs needed something, and what could not be done. An engine that is unavailable is asked once; where ctx
// ends, or the engine is unavailable, before all jobs had their turn, the next Reconcile begins with those that had
// none.
func (r *Reconciler) Reconcile(ctx context.Context) (jobs int, err error) {
	unsettled, err := r.Store.UnfinishedJobs(ctx)
	if err != nil {
		return 0, err
	}
	var errs []error
	if err := r.updateFromEngine(ctx, unsettled...); err != nil {
		if isUnavailable(err) {
			return len(unsettled), err
		}
		errs = append(errs, err)
	}
	last, err := r.Store.Setting(ctx, resumeKey)
	if err != nil {
		return len(unsettled), err
	}
	before := last
	first := slices.IndexFunc(unsettled, func(job *store.Job) bool { return job.ID == last }) + 1
	last = ""
	for _, job := range slices.Concat(unsettled[first:], unsettled[:first]) {
		if err := r.reconcileWithTimeout(ctx, job); err != nil {
			errs = append(errs, fmt.Errorf("job %s: %w", job.ID, err))
			if ctx.Err() != nil || isUnavailable(err) {
				last = job.ID
				break
			}
		}
	}
	if last != before {
		errs = append(errs, r.Store.SetSetting(context.WithoutCancel(ctx), resumeKey, last))
	}
	return len(unsettled), errors.Join(errs...)
}

// reconcileWithTimeout is reconcileJob within the time that one job may take.
func (r *Reconciler) reconcileWithTimeout(ctx context.Context, job *store.Job) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, jobTimeout, errJobTimeout)
	defer cancel()
	// Read again: what was observed may have left less to do, or more.
	if job.RemovedAt.IsZero() {
		if job, err = r.Store.Job(ctx, job.UserID, job.ID); err != nil {
			if apperr.KindOf(err) == apperr.NotFound {
				return nil
			}
			return err
		}
	}
	err = r.reconcileJob(ctx, job)
	if err != nil {
		r.recordError(ctx, job, err)
	}
	if err != nil && context.Cause(ctx) == errJobTimeout {
		err = errors.Join(errJobTimeout, err)
	}
	return err
}

// errJobTimeout is of a job that has had its time.
var errJobTimeout = apperr.New(apperr.RateLimited, "The job needs more time than its limit.",
	"The next sync continues with it.")

// isUnavailable tells an engine that can't be asked now from one that refused something, and from a job that takes
// long.
func isUnavailable(err error) bool {
	return !errors.Is(err, errJobTimeout) && (errors.Is(err, engine.ErrOutage) ||
		apperr.KindOf(err) == apperr.Unavailable || errors.Is(err, context.DeadlineExceeded))
}
