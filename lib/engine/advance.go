package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/store"
)

// advance tells the engine what the database says of a job and the engine doesn't know yet: remove it, define
// it, switch it, stop and start its builds, fetch the results of those that have ended. Each step is written
// down after it was taken, and taking one twice does no harm, so that advance can be cut off anywhere and
// begun again by another process.
func (s *Follower) advance(ctx context.Context, job *store.Job) error {
	if !job.RemovedAt.IsZero() {
		// What it runs counts for its owner, also when nobody has looked yet.
		if err := s.observe(ctx, job); err != nil {
			return err
		}
		if err := s.Engine.Remove(ctx, job.EngineName); err != nil {
			return err
		}
		return s.Store.DeleteJob(ctx, job.ID, s.Now())
	}
	if job.Defined < job.Revision && s.Define == nil {
		return nil
	}
	if err := s.define(ctx, job); err != nil {
		return err
	}
	pending, err := s.Store.Pending(ctx, job.ID)
	if err != nil {
		return err
	}
	var errs []error
	stopping := false
	for _, b := range pending {
		switch {
		case b.Open() && b.Stop:
			stopping = true
			err = s.stop(ctx, job, b)
		case b.State == string(Queued) && b.Ticket == "" && stopping:
			err = nil // the engine would join it to the start that is to be given up
		case b.State == string(Queued) && b.Ticket == "":
			err = s.start(ctx, job, b)
		case !b.Open():
			err = s.settle(ctx, job, b)
		default:
			err = nil
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, s.keep(ctx, job))...)
}

// keep tells an engine that is a Keeper which builds are to be kept.
func (s *Follower) keep(ctx context.Context, job *store.Job) error {
	keeper, ok := s.Engine.(Keeper)
	if !ok {
		return nil
	}
	untold, err := s.Store.Untold(ctx, job.ID)
	if err != nil {
		return err
	}
	for _, b := range untold {
		if err := keeper.Keep(ctx, job.EngineName, b.EngineNumber, b.Kept); err != nil {
			return err
		}
		if err := s.Store.ToldKept(context.WithoutCancel(ctx), b); err != nil {
			return err
		}
	}
	return nil
}

// define gives the engine the newest revision, and tells it whether builds may start.
func (s *Follower) define(ctx context.Context, job *store.Job) error {
	if job.Defined < job.Revision {
		if err := s.create(ctx, job); err != nil {
			return err
		}
	}
	if job.EngineEnabled == job.Enabled {
		return nil
	}
	if err := s.Engine.SetEnabled(ctx, job.EngineName, job.Enabled); err != nil {
		return err
	}
	return s.Store.JobEngineEnabled(ctx, job.ID, job.Enabled)
}

func (s *Follower) create(ctx context.Context, job *store.Job) error {
	rev, err := s.Store.Revision(ctx, job.PersonID, job.ID, job.Revision)
	if err != nil {
		return err
	}
	defined, err := s.Define(job, rev)
	if err != nil {
		return err
	}
	if err := s.Engine.Create(ctx, defined); err != nil {
		return err
	}
	return s.Store.JobDefined(context.WithoutCancel(ctx), job.ID, job.Revision)
}

// start asks the engine for a build, unless another process is at it. When that one never wrote the answer
// down, the engine may have started the build all the same: look before asking again.
func (s *Follower) start(ctx context.Context, job *store.Job, b *store.Build) error {
	if job.Problem == DisabledThere {
		return nil // until the engine shows that it is enabled
	}
	if !b.AskedAt.IsZero() {
		if since(s.Now(), b.AskedAt) < startPatience {
			return nil
		}
		// Twice: Jenkins takes a start from its queue a moment before the build is listed, and can be looked at in that moment.
		for look := range 2 {
			if look > 0 {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(startWindow):
				}
			}
			if err := s.observe(ctx, job); err != nil {
				return err
			}
			if now, err := s.Store.Build(ctx, job.PersonID, job.ID, b.Number); err != nil || now.Ticket != "" || !now.Open() {
				return err
			}
		}
	}
	mine, err := s.Store.ClaimStart(ctx, b, s.Now(), startPatience)
	if err != nil || !mine {
		return err
	}
	ticket, err := s.Engine.Start(ctx, job.EngineName)
	switch {
	case err == nil:
		return s.Store.SetTicket(context.WithoutCancel(ctx), b, string(ticket))
	case apperr.KindOf(err) == apperr.NotFound:
		// Somebody removed the job from the engine: the next round defines it again.
		return errors.Join(s.Store.JobUndefined(ctx, job.ID), s.Store.UnclaimStart(ctx, b))
	case apperr.KindOf(err) == apperr.Conflict || apperr.KindOf(err) == apperr.Denied || apperr.KindOf(err) == apperr.Invalid:
		return errors.Join(err, s.Store.UnclaimStart(ctx, b))
	}
	return err // it may have been started: the claim stays until that is known
}

// stop ends a build where it is now: a start that waited when its owner looked may run by the time that the
// engine is told.
func (s *Follower) stop(ctx context.Context, job *store.Job, b *store.Build) error {
	if b.Ticket == "" && since(s.Now(), b.AskedAt) < startPatience {
		return nil // its start is on its way; the ticket tells what to stop
	}
	for range 2 {
		if err := s.observe(ctx, job); err != nil {
			return err
		}
		now, err := s.Store.Build(ctx, job.PersonID, job.ID, b.Number)
		if err != nil || !now.Open() {
			return err
		}
		err = s.Engine.Stop(ctx, job.EngineName, now.EngineNumber)
		if err != nil && apperr.KindOf(err) != apperr.NotFound {
			return err
		}
	}
	return s.observe(ctx, job)
}

// jobTime is how long Reconcile stays with one job: longer than a call that the engine doesn't answer.
const jobTime = 15 * time.Second

// stoppedAt is under which name the database has the job at which Reconcile had to stop.
const stoppedAt = "reconcile.stopped"

// Reconcile brings database and engine together again, whatever happened to either: for cron, every minute.
// It returns how many jobs needed something, and what could not be done. An engine that is away is asked once; where
// ctx ends, or the engine is away, before all jobs had their turn, the next Reconcile begins with those that had none.
func (s *Follower) Reconcile(ctx context.Context) (jobs int, err error) {
	unsettled, err := s.Store.Unsettled(ctx)
	if err != nil {
		return 0, err
	}
	var errs []error
	if err := s.observe(ctx, unsettled...); err != nil {
		if isAway(err) {
			return len(unsettled), err
		}
		errs = append(errs, err)
	}
	last, err := s.Store.Fact(ctx, stoppedAt)
	if err != nil {
		return len(unsettled), err
	}
	before := last
	first := slices.IndexFunc(unsettled, func(job *store.Job) bool { return job.ID == last }) + 1
	last = ""
	for _, job := range slices.Concat(unsettled[first:], unsettled[:first]) {
		if err := s.reconcileJob(ctx, job); err != nil {
			errs = append(errs, fmt.Errorf("job %s: %w", job.ID, err))
			if ctx.Err() != nil || isAway(err) {
				last = job.ID
				break
			}
		}
	}
	if last != before {
		errs = append(errs, s.Store.SetFact(context.WithoutCancel(ctx), stoppedAt, last))
	}
	return len(unsettled), errors.Join(errs...)
}

// reconcileJob advances a job as far as the time allows that one job may take.
func (s *Follower) reconcileJob(ctx context.Context, job *store.Job) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, jobTime, errSlow)
	defer cancel()
	// Read again: what was observed may have left less to do, or more.
	if job.RemovedAt.IsZero() {
		if job, err = s.Store.Job(ctx, job.PersonID, job.ID); err != nil {
			if apperr.KindOf(err) == apperr.NotFound {
				return nil
			}
			return err
		}
	}
	err = s.advance(ctx, job)
	if err != nil {
		s.note(ctx, job, err)
	}
	if err != nil && context.Cause(ctx) == errSlow {
		err = errors.Join(errSlow, err)
	}
	return err
}

// errSlow is of a job that has had its time.
var errSlow = apperr.New(apperr.Limited, "The job needs more time than its limit.", "The next sync continues with it.")

// isAway tells an engine that can't be asked now from one that refused something, and from a job that takes long.
func isAway(err error) bool {
	return !errors.Is(err, errSlow) && (errors.Is(err, ErrAway) || apperr.KindOf(err) == apperr.Unavailable ||
		errors.Is(err, context.DeadlineExceeded))
}

// watch brings one job up to date for its page: what the engine says, how far the log is, what is still to be
// told. It reports whether the database may have changed.
func (s *Follower) watch(ctx context.Context, job *store.Job) bool {
	asked := s.refresh(ctx, []*store.Job{job})
	ended := job.Last != nil && !job.Last.Open() && !job.Last.Settled
	if !asked && !ended {
		return false
	}
	ctx, cancel := Context(ctx)
	defer cancel()
	if err := s.scanRunning(ctx, job); err != nil {
		s.Logger.Warn("the log was not searched for steps", "job", job.ID, "error", err)
	}
	if job, err := s.Store.Job(ctx, job.PersonID, job.ID); err == nil {
		if err := s.advance(ctx, job); err != nil {
			s.note(ctx, job, err)
		}
	}
	return true
}

// refresh asks the engine, once, about those of the jobs that can have changed and were not asked about in
// the last seconds. It reports whether it asked. An engine that is away changes nothing: the page says how
// old its states are.
func (s *Follower) refresh(ctx context.Context, jobs []*store.Job) bool {
	var stale []*store.Job
	for _, job := range jobs {
		if job.Last != nil && !job.Last.Settled && since(s.Now(), job.SeenAt) >= cmp.Or(s.Fresh, fresh) {
			stale = append(stale, job)
		}
	}
	if len(stale) == 0 {
		return false
	}
	ctx, cancel := Context(ctx)
	defer cancel()
	if err := s.observe(ctx, stale...); err != nil {
		s.Logger.Warn("the engine was not asked", "jobs", len(stale), "error", err)
	}
	return true
}

// observe asks the engine about jobs, in one round trip, and writes down what it said. What the database
// knows is read before: a build that was started in between is not taken for one that the engine forgot.
func (s *Follower) observe(ctx context.Context, jobs ...*store.Job) error {
	if len(jobs) == 0 {
		return nil
	}
	names, known := make([]string, len(jobs)), make([]knowledge, len(jobs))
	for i, job := range jobs {
		var err error
		if known[i], err = s.recall(ctx, job); err != nil {
			return err
		}
		names[i] = job.EngineName
	}
	status, err := s.Engine.Status(ctx, names...)
	if err != nil {
		return err
	}
	now := s.Now()
	var errs []error
	for _, k := range known {
		st, there := status[k.job.EngineName]
		errs = append(errs, s.switched(ctx, k.job, st, there), s.learn(ctx, k, st, there, now))
	}
	return errors.Join(errs...)
}

// knowledge is what the database says of a job before the engine is asked.
type knowledge struct {
	job     *store.Job
	pending []*store.Build
	highest int // engine number of any build
}

func (s *Follower) recall(ctx context.Context, job *store.Job) (k knowledge, err error) {
	k.job = job
	if k.pending, err = s.Store.Pending(ctx, job.ID); err != nil {
		return k, err
	}
	k.highest, err = s.Store.HighestEngineNumber(ctx, job.ID)
	return k, err
}

func (s *Follower) learn(ctx context.Context, k knowledge, st Status, there bool, now time.Time) error {
	var seen []store.Observation
	for _, b := range k.pending {
		if !b.Open() {
			continue
		}
		o := store.Observation{Build: b, Ticket: b.Ticket, Removed: !there}
		if !compare(b, st, k.highest, now) && !(there && s.trace(ctx, k.job, b, now)) {
			vanish(b, there, now)
		} else if !s.examine(ctx, k.job, b) {
			continue
		}
		// A start whose answer is still open is left to the process that asks.
		if b.Ticket != "" || o.Ticket != "" || !b.Open() {
			seen = append(seen, o)
		}
	}
	ctx = context.WithoutCancel(ctx) // what the engine said is written down
	if err := s.Store.Observe(ctx, k.job.ID, now, seen); err != nil {
		return err
	}
	if !there && k.job.Defined > 0 {
		s.Logger.Warn("a job was deleted or renamed on the build service, and is created again",
			"job", k.job.ID, "engine_job", k.job.EngineName)
		return s.Store.JobUndefined(ctx, k.job.ID)
	}
	return nil
}

// switched notes that somebody has disabled a job on the engine itself, or enabled it again: until then it is not started.
func (s *Follower) switched(ctx context.Context, job *store.Job, st Status, there bool) error {
	problem := ""
	if there && !st.Enabled && job.EngineEnabled && job.Enabled {
		problem = DisabledThere
	}
	if !there || problem == job.Problem || problem == "" && job.Problem != DisabledThere {
		return nil
	}
	return s.Store.JobProblem(context.WithoutCancel(ctx), job.ID, problem)
}

// trace asks an engine that is a Tracer what became of a start that its status doesn't show. It reports whether the start is
// accounted for, also when the engine could not be asked.
func (s *Follower) trace(ctx context.Context, job *store.Job, b *store.Build, now time.Time) bool {
	tracer, ok := s.Engine.(Tracer)
	if !ok || b.EngineNumber > 0 {
		return false
	}
	state, number, err := tracer.Trace(ctx, job.EngineName, Ticket(b.Ticket))
	if err != nil {
		s.Logger.Warn("a start was not traced", "job", job.ID, "ticket", b.Ticket, "error", err)
		return true
	}
	switch state {
	case Running:
		b.EngineNumber, b.State, b.StartedAt, b.Position, b.Reason = number, string(Running), now, 0, ""
	case Aborted:
		reason := "Removed from the queue of the build service."
		if b.Stop {
			reason = b.Reason
		}
		end(b, Aborted, reason, now)
	}
	return state != Lost
}
