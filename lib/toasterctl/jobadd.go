package main

import (
	"errors"
	"fmt"
	"os"

	"toaster.do/lib/app"
	"toaster.do/lib/buildcontext"
	"toaster.do/lib/config"
	"toaster.do/lib/contexts"
	"toaster.do/lib/jobs"
	"toaster.do/lib/printable"
)

type jobAdd struct {
	Owner  string `required:"" placeholder:"EMAIL" help:"The owner of the job."`
	Target string `required:"" placeholder:"TARGET" help:"The target to build."`
	Name   string `placeholder:"N" help:"The name of the job. Default: the name of the folder or the archive, or what CMD runs."`
	Start  bool   `help:"Build the image now."`
	DryRun bool   `help:"Show what would be done, without doing it."`
	rootKey
	secretFlags
	source
}

func (c *jobAdd) Run(w *world) error {
	defer c.close()
	secrets, err := c.readSecrets()
	if err != nil {
		return err
	}
	return w.withService(func(cfg *config.Config, s *site) error {
		targets, err := s.Targets()
		if err != nil {
			return err
		}
		if _, err := pick(targets, c.Target); err != nil {
			return err
		}
		sub, err := c.submission(w, s.Limits)
		if err != nil {
			return err
		}
		owner, err := s.DB.UserByEmail(w.ctx, c.Owner)
		if err != nil {
			return orSee(err, "user list")
		}
		if sub.Context, err = c.addContext(app.Contexts(cfg), owner.ID); err != nil {
			return err
		}
		checked, err := s.Check(w.ctx, owner, false, sub)
		if err != nil {
			return err
		}
		if err := writeFindings(w.err, c.fileLabel(), checked.Findings); err != nil {
			return err
		}
		if c.DryRun {
			return c.foretell(w, owner.Email, checked)
		}
		sub.RootPassword = s.RootPassword(sub, nil, false)
		job, err := s.Add(w.ctx, owner, sub)
		var rejected *jobs.Rejected
		if errors.As(err, &rejected) && len(rejected.Findings) > 0 {
			return errSaid // line by line, above
		}
		if err == nil && sub.RootPassword != "" {
			err = w.showPassword(sub.RootPassword)
		}
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(w.out, job.ID); err != nil || !c.Start {
			return err
		}
		return start(w, s, owner.ID, job.ID, secrets)
	})
}

func (c *jobAdd) submission(w *world, limits jobs.Limits) (sub jobs.Submission, err error) {
	sub = jobs.Submission{Name: c.Name, Target: c.Target, BaseForm: c.BaseForm}
	if sub.BuildArgs, err = c.buildArgs(); err != nil {
		return sub, err
	}
	if sub.Environment, err = c.environment(); err != nil {
		return sub, err
	}
	if sub.RootKeys, err = c.readKeys(); err != nil {
		return sub, err
	}
	if sub.Dockerfile, err = c.readDockerfile(w, limits); err != nil {
		return sub, err
	}
	sub.Origin = c.origin()
	return sub, nil
}

// addContext stores the build context as one of an owner, and returns its digest; empty: none is named.
func (c *jobAdd) addContext(to *contexts.Store, owner int64) (digest string, err error) {
	if c.Context == "" {
		return "", nil
	}
	f, err := os.Open(c.Context)
	if err != nil {
		return "", err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !fi.IsDir() {
		return to.AddArchive(owner, f, fi.Size())
	}
	tree, err := buildcontext.Folder(c.Context, c.name(), to.Limits)
	if err != nil {
		return "", err
	}
	return to.Add(owner, &tree.Manifest, tree)
}

// foretell says what adding the job would do.
func (c *jobAdd) foretell(w *world, owner string, checked *jobs.Checked) error {
	if checked.Steps == 0 {
		return errSaid
	}
	start := ""
	if c.Start {
		start = ", and start a build"
	}
	_, err := fmt.Fprintf(w.out, "would create a job of %s for %s: %s%s\n", printable.Line(owner), c.Target,
		count(checked.Steps, "step"), start)
	return err
}
