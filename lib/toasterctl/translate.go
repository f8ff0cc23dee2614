package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"runtime/debug"

	"toaster.do/lib/app"
	"toaster.do/lib/apperr"
	"toaster.do/lib/buildcontext"
	"toaster.do/lib/config"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/image"
	"toaster.do/lib/jobs"
	"toaster.do/lib/target"
)

// rules are what a Dockerfile is judged by: the site's, or without one the defaults.
type rules struct {
	limits  jobs.Limits
	targets *target.Targets

	registry config.Registry
	host     string // as images of the site's own builds begin
}

// rules reads the site's rules. Without --config, $TOASTER_CONF and an installed site it takes those that
// are built in.
func (w *world) rules() (*rules, error) {
	cfg, err := config.Load(w.config)
	builtIn := errors.Is(err, fs.ErrNotExist) && w.config == "" && os.Getenv("TOASTER_CONF") == ""
	if builtIn {
		cfg, err = config.Default(), nil
	}
	if err != nil {
		return nil, err
	}
	r := &rules{limits: jobs.Limits{Dockerfile: int64(cfg.Limits.Dockerfile), Context: app.Context(cfg)},
		registry: cfg.Registry, host: app.Host(cfg)}
	if builtIn {
		r.targets, err = builtInTargets()
	} else {
		r.targets, err = app.Targets(cfg)
	}
	return r, err
}

// translate reads the sources and makes their blend, for a target where one is named. The blend is nil when
// a finding is an error.
func (s *source) translate(w *world, name string) (target.Target, *dockerfile.Blend, []dockerfile.Finding, error) {
	r, err := w.rules()
	if err != nil {
		return target.Target{}, nil, nil, err
	}
	t, src, err := s.read(w, r, name)
	if err != nil {
		return t, nil, nil, err
	}
	blend, findings := dockerfile.Translate(src)
	return t, blend, findings, nil
}

// read reads the sources, for a target where one is named.
func (s *source) read(w *world, r *rules, name string) (t target.Target, src dockerfile.Source, err error) {
	if name != "" {
		if t, err = pick(r.targets, name); err != nil {
			return t, src, err
		}
	}
	debug.SetGCPercent(400) // all this is for one file: collecting often costs a fifth of the time
	src = dockerfile.Source{Arch: t.Arch, Codename: t.Codename, Plain: r.registry.Plain}
	args, err := s.buildArgs()
	if err != nil {
		return t, src, err
	}
	if src.BuildArgs, err = jobs.ParseBuildArgs(args); err != nil {
		return t, src, err
	}
	environment, err := s.environment()
	if err != nil {
		return t, src, err
	}
	if src.Environment, err = jobs.ParseEnvironment(environment); err != nil {
		return t, src, err
	}
	if src.Form, err = jobs.ParseBaseForm(s.BaseForm); err != nil {
		return t, src, err
	}
	if src.Dockerfile, err = s.readDockerfile(w, r.limits); err != nil {
		return t, src, err
	}
	if s.lock != "" {
		text, err := os.ReadFile(s.lock)
		if err != nil {
			return t, src, err
		}
		if src.Lock, err = image.Parse(text); err != nil {
			return t, src, apperr.Wrap(apperr.InvalidArgument, err, "%s is not a lock.", "Make it with “toasterctl lock”.",
				s.lock)
		}
	}
	src.Name = s.name()
	if buildcontext.IsOuter(s.Context, src.Name) {
		src.Name = "Dockerfile" // so that outerIgnore is its
	}
	if int64(len(src.Dockerfile)) > r.limits.Dockerfile {
		return t, src, apperr.New(apperr.TooLarge,
			"%s is longer than %d bytes.", "Move large heredocs to files in the build context.", s.fileLabel(),
			r.limits.Dockerfile)
	}
	if len(bytes.TrimSpace(src.Dockerfile)) == 0 {
		return t, src, apperr.New(apperr.InvalidArgument, "%s is empty.", "A Dockerfile needs at least a FROM line.",
			s.fileLabel())
	}
	if src.Context, err = s.readContext(r.limits.Context); err != nil || src.Context == nil {
		return t, src, err
	}
	src.Context, src.Inside = src.Context.Project(src.Dockerfile), s.inside
	s.context = src.Context
	return t, src, nil
}
