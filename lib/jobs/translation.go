package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"strconv"

	"toaster.do/lib/buildcontext"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
	"toaster.do/lib/target"
)

// Findings returns what there is to say of a revision's lines, as it was found when the revision was stored, and an
// error when it can't be built as it is. Nothing is translated for it.
func (s *Service) Findings(ctx context.Context, job *store.Job,
	revision int) (findings []dockerfile.Finding, err error) {
	if _, err := s.Target(job.Target); err != nil {
		return nil, err
	}
	made, err := s.Store.Translation(ctx, job.UserID, job.ID, revision)
	if err != nil || len(made.Findings) == 0 {
		return nil, err
	}
	var list []kept
	if err := json.Unmarshal(made.Findings, &list); err != nil {
		return nil, err
	}
	for _, k := range list {
		k.Finding.Message, k.Finding.Advice = i18n.Text(k.Message), i18n.Text(k.Advice)
		findings = append(findings, k.Finding)
	}
	if f := unbuildable(findings); f != nil {
		return findings, f
	}
	return findings, nil
}

// Blend returns the blend of an owner's job: revision 0 is the newest.
func (s *Service) Blend(ctx context.Context, owner int64, id string, revision int) ([]byte, error) {
	job, rev, err := s.stored(ctx, owner, id, revision)
	if err != nil {
		return nil, err
	}
	blend, _, _, err := s.translate(ctx, job, rev)
	if err != nil {
		return nil, err
	}
	return blend.Text, nil
}

// Script returns the build script of an owner's job, to read or to run elsewhere: revision 0 is the newest.
func (s *Service) Script(ctx context.Context, owner int64, id string, revision int) ([]byte, error) {
	job, rev, err := s.stored(ctx, owner, id, revision)
	if err != nil {
		return nil, err
	}
	made, err := s.script(ctx, job, rev)
	return made.Script, err
}

func (s *Service) stored(ctx context.Context, owner int64, id string, revision int) (*store.Job, *store.Revision,
	error) {
	job, err := s.Store.Job(ctx, owner, id)
	if err != nil {
		return nil, nil, err
	}
	rev, err := s.Store.Revision(ctx, owner, id, revision)
	return job, rev, err
}

// accepted is the translator's input for sources that were accepted once.
func (s *Service) accepted(job *store.Job, rev *store.Revision) (dockerfile.Source, target.Target, error) {
	target, err := s.Target(job.Target)
	if err != nil {
		return dockerfile.Source{}, target, err
	}
	src, err := s.source(job.UserID, Submission{Dockerfile: rev.Dockerfile, Context: rev.Context, BuildArgs: rev.BuildArgs,
		Environment: rev.Environment, BaseForm: rev.BaseForm})
	if err != nil {
		return src, target, err
	}
	src.Arch, src.Codename = target.Arch, target.Codename
	src.Lock, err = lockOf(rev)
	return src, target, err
}

// translate makes the blend of sources that were accepted once. A newer toaster may refuse them: the error says so.
func (s *Service) translate(ctx context.Context, job *store.Job,
	rev *store.Revision) (*dockerfile.Blend, dockerfile.Source, target.Target, error) {
	src, target, err := s.accepted(job, rev)
	if err != nil {
		return nil, src, target, err
	}
	var blend *dockerfile.Blend
	var findings []dockerfile.Finding
	if err := inTime(ctx, &src, func() { blend, findings = dockerfile.Translate(src) }); err != nil {
		return nil, src, target, err
	}
	if blend == nil {
		return nil, src, target, unbuildable(findings)
	}
	return blend, src, target, nil
}

// define is what the engine has to know of a revision.
func (s *Service) define(job *store.Job, rev *store.Revision) (engine.Job, error) {
	target, err := s.Target(job.Target)
	if err != nil {
		return engine.Job{}, err
	}
	made := s.made.take(job.ID, rev.Number)
	if made.Script == nil {
		if made, err = s.script(context.Background(), job, rev); err != nil {
			return engine.Job{}, err
		}
	}
	made.Context, err = s.addressed(made.Context, job.ID)
	return engine.Job{
		Name: job.EngineName, Owner: strconv.FormatInt(job.UserID, 10), Source: sourceOf(job, rev),
		Description: job.Name + " (" + job.Target + "), job " + job.ID, Label: target.Label,
		Script: made.Script, Context: made.Context,
		TimeLimit: cmp.Or(target.TimeLimit, s.Limits.TimeLimit), OutputLimit: s.Limits.OutputLimit,
	}, err
}

func sourceOf(job *store.Job, rev *store.Revision) engine.Source {
	return engine.Source{
		Target: job.Target, Dockerfile: rev.Dockerfile, Context: rev.Context, BuildArgs: rev.BuildArgs,
		Environment: rev.Environment, BaseForm: rev.BaseForm, RootKeys: rev.Root.Keys,
		RootHash: rev.Root.Password, Lock: rev.Lock.Images, Owner: job.UserID,
		Repository: rev.Source.Repository, Ref: rev.Source.Ref, Commit: rev.Source.Commit,
	}
}

// Make makes the build script of a source, which may come from anywhere. It needs no database.
func (s *Service) Make(src engine.Source) (engine.Made, error) {
	keys, err := ParseRootKeys(src.RootKeys)
	if err != nil {
		return engine.Made{}, err
	}
	rev := &store.Revision{Dockerfile: src.Dockerfile, Context: src.Context, BuildArgs: src.BuildArgs,
		Environment: src.Environment, BaseForm: src.BaseForm, Root: store.Root{Keys: keys, Password: src.RootHash},
		Source: store.Source{Repository: src.Repository, Ref: src.Ref, Commit: src.Commit}}
	if src.Lock != nil {
		rev.Lock = store.ImageLock{Images: src.Lock, Problems: []byte("[]")}
	}
	return s.script(context.Background(), &store.Job{Target: src.Target, UserID: src.Owner}, rev)
}

func (s *Service) script(ctx context.Context, job *store.Job, rev *store.Revision) (engine.Made, error) {
	blend, src, t, err := s.translate(ctx, job, rev)
	if err != nil {
		return engine.Made{}, err
	}
	return s.withContext(t, blend, src.Context, rev.Root, rev.Source)
}

// withContext makes the script of a blend, with what it needs beside it of its build context.
func (s *Service) withContext(on target.Target, blend *dockerfile.Blend, from *dockerfile.Context,
	root store.Root, source store.Source) (made engine.Made, err error) {
	if made.Script, err = scriptOf(on, blend, accessOf(root), s.Version, source); err != nil || !blend.External {
		return made, err
	}
	t, err := buildcontext.NewTar(from.Manifest(), nil, blend.Files)
	if err != nil {
		return made, err
	}
	made.Context = &engine.BuildContext{Manifest: t.Manifest(), Files: blend.Files, ID: t.ID(), Size: t.Size()}
	return made, nil
}

// addressed is the context with the address at which other hosts get it for a job's builds, where the engine's do.
func (s *Service) addressed(c *engine.BuildContext, job string) (*engine.BuildContext, error) {
	if c == nil || s.ContextAddress == nil {
		return c, nil
	}
	address, err := s.ContextAddress(job, c.ID)
	if err != nil {
		return nil, err
	}
	with := *c
	with.Address = address
	return &with, nil
}

// Script returns the build script for a target and a blend, whose images root gets into by access.
func Script(t target.Target, blend *dockerfile.Blend, access target.Access, version string) ([]byte, error) {
	return scriptOf(t, blend, access, version, store.Source{})
}

// scriptOf is Script for what was fetched from a repository.
func scriptOf(t target.Target, blend *dockerfile.Blend, access target.Access, version string,
	from store.Source) ([]byte, error) {
	var secrets []target.Secret
	for _, one := range blend.Secrets {
		secrets = append(secrets, target.Secret(one))
	}
	var source *target.Source
	if from.Commit != "" {
		source = &target.Source{Repository: from.Repository, Ref: from.Ref, Commit: from.Commit}
	}
	return target.Script(target.Recipe{Source: source,
		Target: t, Blend: blend.Text, BlendSHA256: blend.SHA256,
		DockerfileSHA256: blend.Dockerfile, ContextSHA256: blend.Context, ContextBeside: blend.External,
		Base: blend.Base, Form: string(blend.Form),
		Images: blend.Images, Config: blend.Config, AppRoot: blend.Root, Version: version, Root: access,
		Environment: blend.Environment, Secrets: secrets,
	})
}
