package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/engine/reconcile"
	"toaster.do/lib/i18n"
	"toaster.do/lib/image"
	"toaster.do/lib/store"
)

// imageStore keeps what images are.
type imageStore interface {
	ImageLock(ctx context.Context, owner int64, id string) (store.ImageLock, error)
	LatestBuild(ctx context.Context, owner int64, id string, good bool) (number int, err error)
	SetLookedAt(ctx context.Context, job string, revision int, at time.Time, problems []byte) error
	Try(ctx context.Context, now time.Time, limits ...store.Limit) (store.Tried, error)
}

// Registries say what images are now. Each that is asked for is in the lock or a problem.
type Registries interface {
	LookUp(ctx context.Context, wants []image.Want, base image.Want) (image.Lock, []image.Problem)
}

// Images are the images of registries that a revision names: what was found of them, and why not all were.
type Images struct {
	LookedAt time.Time // zero: the revision names none
	Lock     image.Lock
	Problems []ImageProblem
}

// ImageProblem is why an image was not found when registries were asked last. It may be in the lock all the same, as it
// was before.
type ImageProblem struct {
	Reference, Platform, Code string
	Message, Advice           i18n.Text
}

// storedProblem is an ImageProblem in the database.
type storedProblem struct {
	Reference string      `json:"reference"`
	Platform  string      `json:"platform"`
	Code      string      `json:"code"`
	Message   i18n.Stored `json:"message"`
	Advice    i18n.Stored `json:"advice"`
}

// ImagesOf reads what is stored of a revision's images.
func ImagesOf(stored store.ImageLock) (images Images, err error) {
	if stored.Images == nil {
		return images, nil
	}
	images.LookedAt = stored.LookedAt
	if images.Lock, err = image.Parse(stored.Images); err != nil {
		return images, err
	}
	var problems []storedProblem
	if err := json.Unmarshal(stored.Problems, &problems); err != nil {
		return images, err
	}
	for _, p := range problems {
		images.Problems = append(images.Problems,
			ImageProblem{p.Reference, p.Platform, p.Code, i18n.Text(p.Message), i18n.Text(p.Advice)})
	}
	return images, nil
}

// lockOf is the lock of a revision, for the translator.
func lockOf(rev *store.Revision) (image.Lock, error) {
	images, err := ImagesOf(rev.Lock)
	return images.Lock, err
}

// lock looks up the images that a submission names, and translates it with them. An image that can't be had refuses the
// submission; where a registry is away, it doesn't, and what was known of the image before stays.
func (s *Service) lock(ctx context.Context, owner int64, w *work, before image.Lock) error {
	named := w.named
	if len(named) == 0 {
		return nil
	}
	if len(named) > image.MostImages {
		return &Rejected{Findings: w.findings, Faults: []*apperr.Error{apperr.New(apperr.TooLarge,
			"The Dockerfile names %d images. The limit is %d.", "Use fewer.", len(named), image.MostImages).At("dockerfile")}}
	}
	lock, problems, err := s.lookUp(ctx, owner, named, before)
	if err != nil {
		return err
	}
	var faults []*apperr.Error
	for i, p := range problems {
		if p != nil && !p.Passes() {
			e := *p.Err
			e.Message = i18n.T("Line %d: %s", named[i].Line, e.Message)
			faults = append(faults, e.At("dockerfile"))
		}
	}
	if len(faults) > 0 {
		return &Rejected{Faults: faults, Findings: w.findings}
	}
	w.lock, w.src.Lock = s.storedLock(lock, problems), lock
	if err := inTime(ctx, &w.src, func() { w.translate(w.src, true) }); err != nil {
		return err
	}
	if f := unbuildable(w.findings); f != nil {
		return &Rejected{Faults: []*apperr.Error{f.Coded(unbuildableCode).At("dockerfile")}, Findings: w.findings}
	}
	return nil
}

// lookUp asks the registries, and returns the lock with a problem, or nil, for each image that is named. What can't be
// found now stays as it was before. A user who asks too often is RateLimited.
func (s *Service) lookUp(ctx context.Context, owner int64, named []dockerfile.Named,
	before image.Lock) (image.Lock, []*image.Problem, error) {
	limit := store.Limit{Key: "images:" + store.UserObject(owner), Rates: store.LookUps}
	if _, err := s.Store.Try(ctx, s.Now(), limit); err != nil {
		return nil, nil, err
	}
	wants := make([]image.Want, len(named))
	for i, n := range named {
		wants[i] = n.Want
	}
	lock, found := s.LookUp(ctx, owner, wants, dockerfile.BaseOf(named))
	problems := make([]*image.Problem, len(named))
	for _, p := range found {
		s.Logger.Warn("an image was not looked up", "image", p.Reference, "platform", p.Platform, "error", p.Err)
		for i, w := range wants {
			if w == p.Want {
				problems[i] = &p
			}
		}
		if known := before.Find(p.Want); known != nil {
			lock = append(lock, *known)
		}
	}
	return image.NewLock(lock), problems, nil
}

func (s *Service) storedLock(lock image.Lock, problems []*image.Problem) store.ImageLock {
	list := []storedProblem{}
	for _, p := range problems {
		if p != nil {
			list = append(list, storedProblem{p.Reference, p.Platform, p.Err.Code, i18n.Stored(p.Err.Message),
				i18n.Stored(p.Err.Advice)})
		}
	}
	text, err := json.Marshal(list)
	if err != nil {
		panic(err) // no field of it can fail
	}
	return store.ImageLock{LookedAt: s.Now(), Problems: text, Images: lock.Encode()}
}

// LookUpImages asks registries again what the images of a job are. Others than before make a new revision, which the
// next build uses; changed tells that.
func (s *Service) LookUpImages(ctx context.Context, owner int64, id string) (job *store.Job, changed bool, err error) {
	ctx = reconcile.RequestContext(ctx)
	job, rev, err := s.stored(ctx, owner, id, 0)
	if err != nil {
		return nil, false, err
	}
	src, target, err := s.accepted(job, rev)
	if err != nil {
		return nil, false, err
	}
	named := dockerfile.Images(src)
	if len(named) == 0 {
		return nil, false, apperr.New(apperr.FailedPrecondition, "The Dockerfile of this job names no images of registries.",
			"There is nothing to look up.")
	}
	lock, problems, err := s.lookUp(ctx, owner, named[:min(len(named), image.MostImages)], src.Lock)
	if err != nil {
		return nil, false, err
	}
	next := s.storedLock(lock, problems)
	if bytes.Equal(next.Images, rev.Lock.Images) {
		return job, false, s.Store.SetLookedAt(ctx, id, rev.Number, next.LookedAt, next.Problems)
	}
	rev.Lock, rev.CreatedAt = next, s.Now()
	if rev.Made, err = s.retranslated(ctx, owner, target, rev); err != nil {
		return nil, false, err
	}
	if err := s.Store.AddRevision(ctx, owner, job.Revision, job.Name, rev, s.Limits.Sources); err != nil {
		return nil, false, err
	}
	if pushed := s.changed(ctx, owner, id); pushed != nil {
		return pushed, true, nil
	}
	job.Revision = rev.Number
	return job, true, nil
}

// complete is an error when an image that a job names was never found, or is gone.
func (s *Service) complete(ctx context.Context, stored store.ImageLock) error {
	images, err := ImagesOf(stored)
	if err != nil {
		return err
	}
	for _, i := range images.Lock {
		if err := s.archiveIsThere(ctx, &i); err != nil {
			return err
		}
	}
	for _, p := range images.Problems {
		if images.Lock.Find(image.Want{Reference: p.Reference, Platform: p.Platform}) == nil {
			return apperr.New(apperr.FailedPrecondition,
				"The image %s has not been found in its registry yet, so there is nothing to build from.",
				"Look the images up again, on the job's page.", p.Reference).Coded("image_not_locked")
		}
	}
	return nil
}

// digests are the images of a side by name, for a comparison.
func (s *Side) digests() map[string]string {
	lock, _ := lockOf(s.Revision) // it was encoded here
	all := map[string]string{}
	for _, i := range lock {
		all[i.Reference+" ("+i.Platform+")"] = i.Digest
	}
	return all
}
