// Package jobs holds toaster's use cases: jobs are made from Dockerfiles, checked, built, compared and removed.
package jobs

import (
	"context"
	"io"
	"log/slog"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/buildcontext"
	"toaster.do/lib/contexts"
	"toaster.do/lib/engine"
	"toaster.do/lib/engine/reconcile"
	"toaster.do/lib/image"
	"toaster.do/lib/store"
	"toaster.do/lib/target"
)

// Limits bound what one person can ask for.
type Limits struct {
	Dockerfile int64 // bytes
	Context    buildcontext.Limits
	Jobs       int           // a person's jobs, unless the person has a number of their own; 0: no limit
	Sources    int64         // bytes of Dockerfiles of a person's jobs, in all revisions; 0: no limit
	Builds     store.Limits  // a person's builds, likewise, and the queue's
	Keep       int           // builds that are kept of a job: so many that succeeded, and so many others
	TimeLimit  time.Duration // of one build, unless its target has another; 0: the engine's own
	// OutputLimit is how much one build may print, in bytes; 0: the engine's own.
	OutputLimit int64
}

// jobStore is what the use cases need of the database.
type jobStore interface {
	AddBuild(ctx context.Context, owner int64, id string, secrets []byte, l store.Limits,
		now time.Time) (b *store.Build, already bool, err error)
	AddJob(ctx context.Context, j *store.Job, r *store.Revision, limit int) error
	AddNamedJob(ctx context.Context, j *store.Job, r *store.Revision, limit int) error
	AddRevision(ctx context.Context, owner int64, base int, name string, r *store.Revision, most int64) error
	Artifacts(ctx context.Context, owner int64, id string, number int) (list []store.Artifact, err error)
	Build(ctx context.Context, owner int64, id string, number int) (*store.Build, error)
	CheckJobQuota(ctx context.Context, owner int64, limit int) error
	Contexts(ctx context.Context) (needed map[int64]map[string]bool, err error)
	Job(ctx context.Context, owner int64, id string) (j *store.Job, err error)
	NamedJob(ctx context.Context, owner int64, name string, target string) (j *store.Job, err error)
	OpenRevisions(ctx context.Context, id string) (owner int64, revisions []int, err error)
	Readdress(ctx context.Context, mark string) error
	RemoveJob(ctx context.Context, owner int64, id string, now time.Time, by ...store.AuditEntry) error
	RequestStop(ctx context.Context, owner int64, id string, now time.Time) error
	Revision(ctx context.Context, owner int64, id string, number int) (*store.Revision, error)
	Root(ctx context.Context, owner int64, id string, revision int) (root store.Root, err error)
	SetEnabled(ctx context.Context, owner int64, id string, enabled bool, now time.Time) error
	Translation(ctx context.Context, owner int64, id string, number int) (t store.Translation, err error)
	expiryStore
	imageStore
	adminStore
	recheckStore
	gitStore
}

// contextStore keeps the build contexts of users.
type contextStore interface {
	AddArchive(owner int64, archive io.ReaderAt, size int64) (digest string, err error)
	Get(owner int64, digest string) (*buildcontext.Manifest, contexts.Files, error)
	Complete(owner int64, digest string) error
	Files(owner int64) contexts.Files
	Sweep(ctx context.Context, needed map[int64]map[string]bool, now time.Time) error
}

// Service is what people do with jobs. Each change is committed to the database first; then the engine is
// told, as far as it answers in time; Reconcile carries on whatever is left over.
type Service struct {
	reconcile.Reconciler
	Store    jobStore
	Contexts contextStore
	Targets  func() (*target.Targets, error) // read when they are first asked for: most requests ask for none
	Limits   Limits
	Version  string                        // toaster's, for provenance.json
	Images   Registries                    // where there are any: else images can't be looked up
	Plain    map[string]string             // names of images that are plain ones as well: see dockerfile.Source
	Host     string                        // this site's, as images of its builds begin: HOST/jobs/ID:NUMBER; empty: it has none
	Lends    bool                          // builds get the images of other builds
	made     *handover                     // the script of the revision that is being stored
	read     *readContext                  // the build context that was read last
	Seals    func() (engine.Sealer, error) // for the secrets of builds
	// ContextAddress is where agents get a build context of a job's by its ID, which may be refused; nil: the engine's builds
	// need none.
	ContextAddress func(job, context string) (string, error)
	Git            Git
	DiskSpace      func() error // an error while no build may start, because a disk is nearly full; nil: never
}

// New returns a service of these parts; Define is its own.
func New(parts Service) *Service {
	s := &parts
	s.Define, s.made, s.read = s.define, &handover{}, &readContext{}
	return s
}

// Add stores a job and defines it on the engine. Wrong input is a *Rejected. An engine that is away is no
// error: the job is defined later.
func (s *Service) Add(ctx context.Context, owner *store.User, sub Submission) (*store.Job, error) {
	return s.add(ctx, owner, sub, s.Store.AddJob)
}

// AddNamed is Add for a name that no job of that target has: one that has come meanwhile is a Conflict.
func (s *Service) AddNamed(ctx context.Context, owner *store.User, sub Submission) (*store.Job, error) {
	return s.add(ctx, owner, sub, s.Store.AddNamedJob)
}

// Named returns the newest of an owner's jobs with the name and target of a submission, and its newest revision; nil
// where there is none.
func (s *Service) Named(ctx context.Context, owner int64, sub Submission) (*store.Job, *store.Revision, error) {
	name, err := s.nameOf(owner, sub)
	if err != nil {
		return nil, nil, nil // Add says what is wrong
	}
	job, err := s.Store.NamedJob(ctx, owner, name, sub.Target)
	if job == nil || err != nil {
		return nil, nil, err
	}
	rev, err := s.Store.Revision(ctx, owner, job.ID, 0)
	return job, rev, err
}

// ready makes what is stored of a submission, in the place of an older revision; nil: of a new job. One whose Dockerfile
// is in a repository has none until that is fetched.
func (s *Service) ready(ctx context.Context, owner int64, sub *Submission, old *store.Revision) (w *work, script engine.Made,
	made store.Translation, err error) {
	var before image.Lock
	if old != nil {
		if before, err = lockOf(old); err != nil {
			return nil, script, made, err
		}
	}
	if sub.Git != nil {
		sub.Dockerfile, sub.Context = []byte{}, ""
		w, err = s.prepareGit(ctx, owner, *sub)
	} else {
		w, err = s.prepare(ctx, owner, *sub, before)
	}
	if err != nil {
		return nil, script, made, err
	}
	if old != nil && w.root == (store.Root{}) {
		w.root.Password = old.Root.Password
	}
	if sub.Git == nil {
		script, made, err = s.translated(w)
	}
	return w, script, made, err
}

type addJob func(context.Context, *store.Job, *store.Revision, int) error

func (s *Service) add(ctx context.Context, owner *store.User, sub Submission, put addJob) (*store.Job, error) {
	ctx = reconcile.RequestContext(ctx)
	w, script, made, err := s.ready(ctx, owner.ID, &sub, nil)
	if err != nil {
		return nil, err
	}
	job := &store.Job{UserID: owner.ID, Name: w.name, Target: w.target.Name, TargetTitle: w.target.Title,
		Enabled: true, EngineEnabled: true, Revision: 1, CreatedAt: s.Now()}
	rev := &store.Revision{Number: 1, Dockerfile: sub.Dockerfile, Context: sub.Context, ContextSize: w.size,
		BuildArgs:   w.buildArgs,
		Environment: w.environment, BaseForm: w.baseForm, Root: w.root, Lock: w.lock, Made: made, CreatedAt: job.CreatedAt}
	for try := 0; ; try++ {
		job.ID = newID()
		rev.JobID = job.ID
		if rev.Origin, err = s.origin(sub, job.ID, nil); err != nil {
			return nil, err
		}
		job.EngineName = EngineName(owner.Email, job.Target, timestamp(job.CreatedAt))
		err := put(ctx, job, rev, s.jobs(owner))
		if err == nil {
			break
		}
		if apperr.Of(err).Code != store.NameTaken || try == 40 {
			return nil, err
		}
	}
	defer s.made.give(job.ID, rev.Number, script)()
	s.Push(ctx, job)
	return job, nil
}

// Update stores new sources for a job, made from revision base. A base that is not the newest any more is a
// Conflict, wrong input a *Rejected. The target stays.
func (s *Service) Update(ctx context.Context, owner int64, id string, base int, sub Submission) (*store.Job, error) {
	ctx = reconcile.RequestContext(ctx)
	job, err := s.Store.Job(ctx, owner, id)
	if err != nil {
		return nil, err
	}
	sub.Target = job.Target
	if sub.Name == "" {
		sub.Name = job.Name
	}
	old, err := s.Store.Revision(ctx, owner, id, base)
	if apperr.KindOf(err) == apperr.NotFound && err != nil && base != job.Revision {
		err = store.Stale(base, job.Revision) // revisions that nothing was built from are forgotten
	}
	if err != nil {
		return nil, err
	}
	if sub.KeepContext && sub.Context == "" && sub.Refused == nil {
		sub.Context = old.Context
	}
	known, _, err := s.Repository(ctx, owner, id)
	if err != nil {
		return nil, err
	}
	from, err := s.origin(sub, id, known)
	if err != nil {
		return nil, err
	}
	w, script, made, err := s.ready(ctx, owner, &sub, old)
	if err != nil {
		return nil, err
	}
	rev := &store.Revision{JobID: id, Dockerfile: sub.Dockerfile, Context: sub.Context, ContextSize: w.size,
		BuildArgs:   w.buildArgs,
		Environment: w.environment, BaseForm: w.baseForm, Root: w.root, Lock: w.lock, Made: made, Origin: from,
		CreatedAt: s.Now()}
	if err := s.Store.AddRevision(ctx, owner, base, w.name, rev, s.Limits.Sources); err != nil {
		return nil, err
	}
	defer s.made.give(id, rev.Number, script)()
	if changed := s.changed(ctx, owner, id); changed != nil {
		return changed, nil
	}
	job.Name, job.Revision = w.name, rev.Number
	return job, nil
}

// changed is Changed after what is stored already: that the job can't be looked at is no error then. It returns nil.
func (s *Service) changed(ctx context.Context, owner int64, id string) *store.Job {
	job, err := s.PushByID(ctx, owner, id)
	if err != nil {
		s.Logger.Warn("a change is saved, and completed later", slog.String("job", id), slog.Any("error", err))
		return nil
	}
	return job
}

// Source returns what a job is made from; revision 0 is the newest.
func (s *Service) Source(ctx context.Context, owner int64, id string, revision int) (*store.Revision, error) {
	return s.Store.Revision(ctx, owner, id, revision)
}

// Stop stops a job's builds, the running one and the one that waits. Nothing open is no error.
func (s *Service) Stop(ctx context.Context, owner int64, id string) error {
	ctx = reconcile.RequestContext(ctx)
	if err := s.Store.RequestStop(ctx, owner, id, s.Now()); err != nil {
		return err
	}
	s.changed(ctx, owner, id)
	return nil
}

// SetEnabled lets a job start builds or not; switching off gives up a build that waits.
func (s *Service) SetEnabled(ctx context.Context, owner int64, id string, enabled bool) error {
	ctx = reconcile.RequestContext(ctx)
	if err := s.Store.SetEnabled(ctx, owner, id, enabled, s.Now()); err != nil {
		return err
	}
	s.changed(ctx, owner, id)
	return nil
}

// Remove takes a job away, stops its builds, and deletes logs and artifacts.
func (s *Service) Remove(ctx context.Context, owner int64, id string, by ...store.AuditEntry) error {
	ctx = reconcile.RequestContext(ctx)
	job, err := s.Store.Job(ctx, owner, id)
	if err != nil {
		return err
	}
	if err := s.Store.RemoveJob(ctx, owner, id, s.Now(), by...); err != nil {
		return err
	}
	job.RemovedAt = s.Now()
	s.Push(ctx, job)
	return nil
}
