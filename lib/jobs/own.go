package jobs

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/image"
	"toaster.do/lib/store"
)

// LookUp says what images are now: those of an owner's builds by their archives, all others by their registries. Of
// base, the release is looked for.
func (s *Service) LookUp(ctx context.Context, owner int64, wants []image.Want,
	base image.Want) (image.Lock, []image.Problem) {
	var own []image.Locked
	var problems []image.Problem
	var others []image.Want
	for _, w := range wants {
		id, tag, isOwn := s.OwnImage(w.Reference)
		if !isOwn {
			others = append(others, w)
			continue
		}
		l, err := s.ownImage(ctx, owner, w, id, tag)
		if err != nil {
			problems = append(problems, image.Problem{Want: w, Err: apperr.Of(err)})
			continue
		}
		own = append(own, l)
	}
	if len(others) > 0 {
		lock, found := s.Images.LookUp(ctx, others, base)
		own, problems = append(own, lock...), append(problems, found...)
	}
	return image.NewLock(own), problems
}

// OwnImage tells whether a reference is HOST/jobs/ID[:TAG] of this site, and what of it the job's ID and the tag are.
func (s *Service) OwnImage(reference string) (id, tag string, isOwn bool) {
	host, rest, _ := strings.Cut(reference, "/")
	rest, isOwn = strings.CutPrefix(rest, "jobs/")
	id, tag, tagged := strings.Cut(rest, ":")
	if !tagged {
		tag = "latest"
	}
	return id, tag, isOwn && s.Host != "" && strings.EqualFold(host, s.Host)
}

// ownImage locks the image that a build of an owner's job has left.
func (s *Service) ownImage(ctx context.Context, owner int64, w image.Want, id, tag string) (l image.Locked, err error) {
	if !s.Lends {
		return l, apperr.New(apperr.FailedPrecondition,
			"On this site builds run on Jenkins agents, which can't use %s, the image of another build.",
			"Push the image to a registry, and use it from there.", w.Reference).Coded("image_not_allowed")
	}
	job, err := s.Store.Job(ctx, owner, id)
	if apperr.KindOf(err) == apperr.NotFound && err != nil {
		return l, apperr.New(apperr.NotFound, "%s: you have no such job.",
			"Write %s/jobs/ID:NUMBER: the ID is in the address of the job's page, and the number is a build's.", w.Reference,
			s.Host).Coded("image_not_found")
	}
	if err != nil {
		return l, err
	}
	build, err := s.taggedBuild(ctx, owner, w.Reference, id, tag)
	if err != nil {
		return l, err
	}
	file, err := s.archiveOf(ctx, owner, w.Reference, build)
	if err != nil {
		return l, err
	}
	stream, err := s.Engine.Open(ctx, job.EngineName, build.EngineNumber, file, engine.Range{})
	if err != nil {
		return l, gone(w.Reference, err)
	}
	defer stream.Close()
	if l, err = image.ReadArchive(stream); err == nil {
		l.Reference, l.Platform = w.Reference, w.Platform
		l.Archive = fmt.Sprintf("%s/%d/%s", job.EngineName, build.EngineNumber, file)
		err = l.Check()
	}
	if err != nil {
		return l, apperr.Wrap(apperr.FailedPrecondition, err, "%s: the archive of build %d can't be read.",
			"Build that job again.", w.Reference, build.Number).Coded("image_corrupt")
	}
	has := image.Platform(l.Config.OS, l.Config.Architecture, l.Config.Variant)
	if image.Rank(w.Platform, has) < 0 {
		return l, apperr.New(apperr.FailedPrecondition, "%s is for %s, and %s is needed.",
			"Use a job whose target has the same architecture.", w.Reference, has, w.Platform).Coded("image_platform")
	}
	return l, nil
}

// taggedBuild is the build that a tag means: its number, or latest.
func (s *Service) taggedBuild(ctx context.Context, owner int64, reference, id, tag string) (*store.Build, error) {
	number, err := strconv.Atoi(tag)
	if tag == "latest" {
		number, err = s.Store.LatestBuild(ctx, owner, id, true)
		if apperr.KindOf(err) == apperr.NotFound && err != nil {
			return nil, apperr.New(apperr.FailedPrecondition, "%s: no build of this job has succeeded yet.", "Build it first.",
				reference).Coded("image_not_found")
		}
		if err != nil {
			return nil, err
		}
	}
	if err != nil || number < 1 {
		return nil, apperr.New(apperr.InvalidArgument, "%s: the tag is neither the number of a build nor “latest”.",
			"Write a number from the job's page.", reference).Coded("image_name")
	}
	b, err := s.Store.Build(ctx, owner, id, number)
	if err != nil && apperr.KindOf(err) != apperr.NotFound {
		return nil, err
	}
	if err != nil || b.State != store.Succeeded {
		return nil, apperr.New(apperr.FailedPrecondition, "%s: build %d does not exist, or has not succeeded.",
			"Use the number of a build that has succeeded, or “latest”.", reference, number).Coded("image_not_found")
	}
	return b, nil
}

// archiveOf is the path of the OCI archive that a build has left.
func (s *Service) archiveOf(ctx context.Context, owner int64, reference string, b *store.Build) (string, error) {
	list, err := s.Store.Artifacts(ctx, owner, b.JobID, b.Number)
	if err != nil {
		return "", err
	}
	for _, a := range list {
		if strings.HasSuffix(a.Path, ".oci.tar") {
			return a.Path, nil
		}
	}
	if !b.ExpiredAt.IsZero() {
		return "", gone(reference, nil)
	}
	return "", apperr.New(apperr.FailedPrecondition, "%s: build %d has no OCI archive.",
		"Only root filesystems have one: use a job with such a target, and build it again if its build is older than that.",
		reference, b.Number).Coded("image_type")
}

// archiveIsThere is an error where the archive of a locked image was deleted.
func (s *Service) archiveIsThere(ctx context.Context, l *image.Locked) error {
	job, number, file := l.InArchive()
	if job == "" {
		return nil
	}
	stream, err := s.Engine.Open(ctx, job, number, file, engine.Range{Length: 1})
	if err != nil {
		return gone(l.Reference, err)
	}
	return stream.Close()
}

// gone says so of an image whose archive an engine does not have; any other error stays.
func gone(reference string, err error) error {
	if err != nil && apperr.KindOf(err) != apperr.NotFound {
		return err
	}
	return apperr.Wrap(apperr.FailedPrecondition, err, "The files of the build that %s means were deleted.",
		"Build that job again, or name another of its builds. Then look the images up again, on this job's page.",
		reference).Coded("image_not_found")
}
