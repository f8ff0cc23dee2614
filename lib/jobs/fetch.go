package jobs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/engine"
	"toaster.do/lib/gitsource"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
)

// fetchesAtOnce is how many repositories one process fetches at the same time, one less of them for the same owner.
const fetchesAtOnce = 2

// FetchDue fetches the repositories that builds wait for, and those that somebody wants to look at, until there are
// none left. One process of this host does so at a time; the others do nothing. What it was at when it ended is fetched
// again.
func (s *Service) FetchDue(ctx context.Context) error {
	due, err := s.Store.DueFetches(ctx)
	if err != nil || len(due) == 0 {
		return err
	}
	if err := os.MkdirAll(s.Git.Dir, 0o711); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(s.Git.Dir, "lock"), os.O_RDONLY|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil
		}
		return err
	}
	s.tidyFetches()
	return s.fetchAll(ctx)
}

// tidyFetches removes what a process left that was killed.
func (s *Service) tidyFetches() {
	left, _ := filepath.Glob(filepath.Join(s.Git.Dir, "fetch-*"))
	for _, one := range left {
		if err := os.RemoveAll(one); err != nil {
			s.Logger.Warn("a folder of a fetch was not removed", "error", err)
		}
	}
}

// fetchAll fetches what is due, also what becomes due meanwhile, until there is nothing left but what this site failed
// to store.
func (s *Service) fetchAll(ctx context.Context) error {
	type end struct {
		job string
		err error
	}
	var errs []error
	ended := make(chan end)
	f := fetches{running: map[string]int64{}, failed: map[string]bool{}}
	for {
		next, err := s.nextFetch(ctx, &f)
		if err != nil && len(f.running) == 0 {
			return errors.Join(append(errs, err)...)
		}
		if next != nil {
			f.running[next.JobID] = next.Owner
			go func() { ended <- end{next.JobID, s.fetchOne(ctx, *next)} }()
			continue
		}
		if len(f.running) == 0 {
			return errors.Join(errs...)
		}
		select {
		case e := <-ended:
			delete(f.running, e.job)
			if e.err != nil {
				f.failed[e.job] = true
				errs = append(errs, e.err)
			}
		case <-time.After(time.Second): // something may be due by now
		}
	}
}

// fetches are those that a process is at, and those that it failed at.
type fetches struct {
	running map[string]int64 // the owners, by job
	failed  map[string]bool
}

// next chooses from those that are due. An owner leaves room for one of somebody else's: a server that is slow keeps
// nobody else waiting. nil: none can begin now.
func (f *fetches) next(due []store.Fetch) *store.Fetch {
	if len(f.running) >= fetchesAtOnce {
		return nil
	}
	owned := map[int64]int{}
	for _, owner := range f.running {
		owned[owner]++
	}
	for i, d := range due {
		if _, now := f.running[d.JobID]; !now && !f.failed[d.JobID] && owned[d.Owner] < fetchesAtOnce-1 {
			return &due[i]
		}
	}
	return nil
}

// nextFetch is next of what is due now.
func (s *Service) nextFetch(ctx context.Context, f *fetches) (*store.Fetch, error) {
	if ctx.Err() != nil || len(f.running) >= fetchesAtOnce {
		return nil, ctx.Err()
	}
	due, err := s.Store.DueFetches(ctx)
	return f.next(due), err
}

// fetchOne fetches a repository and stores what became of it. The error is one of this site's.
func (s *Service) fetchOne(ctx context.Context, f store.Fetch) error {
	watched, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go s.watchWish(watched, f, stop)
	err := s.fetchAndStore(watched, &f)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err() // this process ends: another one fetches it
	case context.Cause(watched) == errUnwanted, errors.Is(err, store.ErrStale):
		return nil
	}
	s.Logger.Warn("a repository was not fetched", "job", f.JobID, "error", err)
	e := apperr.Of(err)
	if rejected := (*Rejected)(nil); errors.As(err, &rejected) {
		e = rejected.Faults[0]
	}
	failed := s.Store.FetchFailed(context.WithoutCancel(ctx), f, i18n.T("%s %s", e.Message, e.Advice), s.Now())
	if errors.Is(failed, store.ErrStale) {
		return nil
	}
	return failed
}

// errUnwanted is of a fetch whose result nobody waits for any more.
var errUnwanted = errors.New("nobody waits for the repository any more")

// watchWish ends a fetch that nobody waits for any more.
func (s *Service) watchWish(ctx context.Context, f store.Fetch, stop context.CancelCauseFunc) {
	for tick := time.NewTicker(time.Second); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		if wanted, err := s.Store.FetchWanted(ctx, f); err == nil && !wanted {
			stop(errUnwanted)
		}
	}
}

func (s *Service) fetchAndStore(ctx context.Context, f *store.Fetch) error {
	o, err := s.fetchOptions(f)
	if err != nil {
		return err
	}
	got, err := gitsource.Fetch(ctx, o)
	if err != nil {
		return err
	}
	defer got.Close()
	f.HostKeys = got.HostKeys
	digest, found, err := s.keepFetched(got, f)
	if err != nil {
		return err
	}
	f.Pointers = strings.Join(found.LFS, "\n")
	return s.takeFetched(ctx, *f, digest, store.Source{Repository: f.URL, Ref: f.Ref, Commit: got.Commit})
}

func (s *Service) fetchOptions(f *store.Fetch) (o gitsource.Options, err error) {
	o = gitsource.Options{URL: f.URL, Ref: f.Ref, Folder: f.Folder, Submodules: f.Submodules, HostKeys: f.HostKeys,
		Allow: s.Git.Allow, Proxies: s.Git.Proxies, Dir: s.Git.Dir, TimeLimit: s.Git.TimeLimit,
		MaxBytes: s.Limits.Context.Bytes, MaxEntries: s.Limits.Context.Entries}
	if o.SiteKeys, err = s.Git.SiteKeys(); err != nil || f.Secret == nil {
		return o, err
	}
	seals, err := s.Git.Seals()
	if err != nil {
		return o, err
	}
	secret, _, err := seals.Open(f.Secret, []byte(f.JobID))
	if err != nil {
		return o, apperr.Wrap(apperr.FailedPrecondition, err,
			"The key or token of the repository can no longer be decrypted.",
			"Edit the job, and enter it again.")
	}
	o.Secret = string(secret)
	return o, nil
}

// keepFetched makes a build context of what was fetched.
func (s *Service) keepFetched(got *gitsource.Result, f *store.Fetch) (digest string, found gitsource.Archive,
	err error) {
	file, err := os.CreateTemp(s.Git.Dir, "fetch-archive-")
	if err != nil {
		return "", found, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	l := s.Limits.Context
	if found, err = got.Archive(file, f.Folder, l.Bytes, l.Entries); err != nil {
		return "", found, err
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err == nil {
		digest, err = s.Contexts.AddArchive(f.Owner, file, size)
	}
	return digest, found, err
}

// takeFetched makes a revision of a build context that was fetched, unless the newest is the same already.
func (s *Service) takeFetched(ctx context.Context, f store.Fetch, digest string, from store.Source) error {
	job, rev, err := s.stored(ctx, f.Owner, f.JobID, 0)
	if err != nil {
		return err
	}
	sub := Submission{Name: job.Name, Target: job.Target, Context: digest, BuildArgs: rev.BuildArgs,
		Environment: rev.Environment, BaseForm: rev.BaseForm, RootKeys: rev.Root.Keys}
	if _, err := s.FindDockerfile(f.Owner, &sub, f.Dockerfile); err != nil {
		return err
	}
	var next *store.Revision
	lock := rev.Lock
	known, err := s.Secrets(ctx, f.Owner, f.JobID)
	if err != nil {
		return err
	}
	if rev.Source != from || !bytes.Equal(rev.Dockerfile, sub.Dockerfile) || rev.Context != digest {
		before, err := lockOf(rev)
		if err != nil {
			return err
		}
		w, err := s.prepare(ctx, f.Owner, sub, before)
		if err != nil {
			return err
		}
		w.root, w.from = rev.Root, from
		script, made, err := s.translated(w)
		if err != nil {
			return err
		}
		next = &store.Revision{JobID: job.ID, Number: job.Revision + 1, Dockerfile: sub.Dockerfile, Context: digest,
			ContextSize: w.size,
			BuildArgs:   w.buildArgs, Environment: w.environment, BaseForm: w.baseForm, Root: rev.Root, Lock: w.lock,
			Source: from, Made: made, CreatedAt: s.Now()}
		lock, known = w.lock, w.blend.Secrets
		defer s.made.give(job.ID, next.Number, script)()
	}
	refused, err := s.refused(ctx, job, lock, known)
	if err != nil {
		return err
	}
	if err := s.Store.Fetched(context.WithoutCancel(ctx), f, job.Revision, next, refused, s.Limits.Sources,
		s.Now()); err != nil {
		return err
	}
	s.changed(ctx, f.Owner, job.ID)
	return nil
}

// refused says why the build that waits for a fetch can't be made from what was found, which has these images and
// secrets: what Start says of a job without a repository. No text: it can, or none waits.
func (s *Service) refused(ctx context.Context, job *store.Job, lock store.ImageLock,
	known []dockerfile.Secret) (why i18n.Text, err error) {
	if job.Last == nil || !job.Last.Fetching {
		return why, nil
	}
	if err = s.complete(ctx, lock); err == nil {
		err = s.checkWaiting(ctx, job, known)
	}
	if err == nil || apperr.KindOf(err) == apperr.Internal {
		return why, err
	}
	e := apperr.Of(err)
	if e.Advice.IsZero() {
		return e.Message, nil
	}
	return i18n.T("%s %s", e.Message, e.Advice), nil
}

// checkWaiting says what is wrong with the secrets that a job's newest build waits with.
func (s *Service) checkWaiting(ctx context.Context, job *store.Job, known []dockerfile.Secret) error {
	var given engine.Secrets
	sealed, err := s.Store.BuildSecrets(ctx, job.Last)
	if err != nil {
		return err
	}
	if sealed != nil {
		seals, err := s.Seals()
		if err != nil {
			return err
		}
		if given, err = engine.OpenSecrets(seals, job.EngineName, sealed); err != nil {
			return apperr.Wrap(apperr.FailedPrecondition, err,
				"The secrets of this build can no longer be read. Build again, and enter them again.", "")
		}
	}
	_, err = s.checkSecrets(given, known, true)
	return err
}
