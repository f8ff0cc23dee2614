package main

import (
	"context"
	"fmt"

	"toaster.do/lib/apperr"
	"toaster.do/lib/config"
	"toaster.do/lib/engine"
	"toaster.do/lib/jobs"
	"toaster.do/lib/printable"
	"toaster.do/lib/store"
)

type jobCommands struct {
	Add     jobAdd     `cmd:"" help:"Create a job for a user, and print its ID."`
	List    jobList    `cmd:"" help:"List jobs."`
	Status  jobStatus  `cmd:"" help:"Show a job and its builds."`
	Start   jobStart   `cmd:"" help:"Start a build."`
	Stop    jobStop    `cmd:"" help:"Stop the running and the queued build of a job."`
	Enable  jobEnable  `cmd:"" help:"Enable a job."`
	Lock    jobLock    `cmd:"" help:"Look up the images of a job in their registries again."`
	Disable jobDisable `cmd:"" help:"Disable a job: it starts no builds. A queued build is canceled."`
	Remove  jobRemove  `cmd:"" help:"Delete a job with its builds, logs and artifacts."`
}

// aJob is a command's job, whoever owns it.
type aJob struct {
	ID string `arg:"" name:"ID" help:"The ID from “job list”."`
}

// found is a job and whose it is.
type found struct {
	*store.Job
	owner *store.User
}

func (f found) String() string { return fmt.Sprintf("job %s (%s) of %s", f.ID, f.Name, f.owner.Email) }

// find returns the job as the database has it.
func (j aJob) find(ctx context.Context, s *site) (f found, err error) {
	if f.owner, err = s.DB.JobOwner(ctx, j.ID); err != nil {
		return f, foreign(err)
	}
	f.Job, err = s.DB.Job(ctx, f.owner.ID, j.ID)
	return f, foreign(err)
}

// foreign leaves out the advice that is meant for a job's owner.
func foreign(err error) error {
	if apperr.KindOf(err) == apperr.NotFound {
		return orSee(apperr.New(apperr.NotFound, "%s", "", apperr.Of(err).Message), "job list")
	}
	return err
}

// change is a command that changes a job.
type change struct {
	aJob
	DryRun bool `help:"Show what would be done, without doing it."`
}

// do finds the job and does something to it. will says what: "stop"; done says it afterwards.
func (c change) do(w *world, will, done string, act func(*site, found) error) error {
	return w.withService(func(_ *config.Config, s *site) error {
		f, err := c.find(w.ctx, s)
		if err != nil {
			return err
		}
		if c.DryRun {
			_, err = fmt.Fprintf(w.out, "would %s %s, which is %s\n", will, printable.Line(f.String()), condition(f.Job))
			return err
		}
		if err := act(s, f); err != nil {
			return err
		}
		_, err = fmt.Fprintf(w.out, "%s %s\n", done, printable.Line(f.String()))
		return err
	})
}

func condition(j *store.Job) string {
	if !j.Enabled {
		return string(j.State()) + " and disabled"
	}
	return string(j.State())
}

type jobStop struct{ change }

func (c *jobStop) Run(w *world) error {
	return c.do(w, "stop", "stopped the builds of", func(s *site, f found) error {
		return s.StopFor(w.ctx, f.owner.ID, f.ID, auditEntry("", "", ""))
	})
}

type jobEnable struct{ change }

func (c *jobEnable) Run(w *world) error { return c.set(w, true, "enable") }

type jobDisable struct{ change }

func (c *jobDisable) Run(w *world) error { return c.set(w, false, "disable") }

func (c change) set(w *world, enabled bool, verb string) error {
	return c.do(w, verb, verb+"d", func(s *site, f found) error {
		return s.SetEnabled(w.ctx, f.owner.ID, f.ID, enabled)
	})
}

type jobLock struct{ change }

func (c *jobLock) Run(w *world) error {
	return c.do(w, "look up the images of", "looked up the images of", func(s *site, f found) error {
		_, changed, err := s.LookUpImages(w.ctx, f.owner.ID, f.ID)
		if err != nil {
			return err
		}
		stored, err := s.Store.ImageLock(w.ctx, f.owner.ID, f.ID)
		if err != nil {
			return err
		}
		images, err := jobs.ImagesOf(stored)
		if err != nil {
			return err
		}
		for _, p := range images.Problems {
			fmt.Fprintf(w.err, "%s\n    %s\n", printable.Line(p.Message.String()), printable.Line(p.Advice.String()))
		}
		if changed {
			fmt.Fprintln(w.out, "the images have changed: the next build uses them")
		}
		return nil
	})
}

type jobRemove struct{ change }

func (c *jobRemove) Run(w *world) error {
	return c.do(w, "delete", "deleted", func(s *site, f found) error {
		return s.Remove(w.ctx, f.owner.ID, f.ID, auditEntry("job.remove", "job "+f.ID, store.UserObject(f.owner.ID)))
	})
}

type jobStart struct {
	change
	secretFlags
}

func (c *jobStart) Run(w *world) error {
	if c.DryRun {
		return c.do(w, "start", "", nil)
	}
	secrets, err := c.readSecrets()
	if err != nil {
		return err
	}
	return w.withService(func(_ *config.Config, s *site) error {
		f, err := c.find(w.ctx, s)
		if err != nil {
			return err
		}
		return start(w, s, f.owner.ID, f.ID, secrets)
	})
}

// start asks for a build and says on standard error what came of it: standard output may be a script's.
func start(w *world, s *site, owner int64, id string, secrets engine.Secrets) error {
	b, already, err := s.Start(w.ctx, owner, id, secrets)
	if err != nil {
		return err
	}
	note := ""
	if already {
		note = " already"
	}
	_, err = fmt.Fprintf(w.err, "build %d of job %s is %s%s\n", b.Number, id, b.State, note)
	return err
}
