package main

import (
	"errors"
	"fmt"
	"slices"

	"toaster.do/lib/app"
	"toaster.do/lib/config"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/image"
	"toaster.do/lib/image/registry"
	"toaster.do/lib/jobs"
	"toaster.do/lib/printable"
)

type lockCommand struct {
	Target   string   `xor:"platform" help:"Look up the images for the architecture of this target." placeholder:"TARGET"`
	Platform string   `xor:"platform" help:"Look up the images for this platform. Default: linux/amd64." placeholder:"PLATFORM"`
	Owner    string   `help:"Whose builds images of this site are: HOST/jobs/ID:NUMBER." placeholder:"EMAIL"`
	BuildArg []string `placeholder:"K=V" sep:"none" help:"A build argument for ARG. Can be repeated."`

	Dockerfile string `arg:"" name:"Dockerfile" help:"The Dockerfile. “-” reads standard input."`
}

func (lockCommand) Help() string {
	return "Looks up the images of registries that the Dockerfile names in FROM, COPY --from and RUN --mount, and " +
		"prints their digests " +
		"and configurations. The same images give the same output. Plain images of Debian and Devuan are not in it: " +
		"toaster creates " +
		"these base systems itself. If an image can't be looked up, nothing is printed to standard output, and the exit " +
		"code is 1. " +
		"The section [registry] of the configuration applies."
}

func (c *lockCommand) Run(w *world) error {
	r, err := w.rules()
	if err != nil {
		return err
	}
	from := source{Dockerfile: c.Dockerfile, BuildArg: c.BuildArg}
	_, src, err := from.read(w, r, c.Target)
	if err != nil {
		return err
	}
	if c.Platform != "" {
		var ok bool
		if src.Arch, ok = dockerfile.Arch(c.Platform); !ok {
			return misused("--platform must be one that Debian has, such as linux/arm/v7, not %q", c.Platform)
		}
	}
	named := dockerfile.Images(src)
	if len(named) == 0 {
		// Without any, it may be because it can't be read. COPY is no matter: there is no context.
		_, findings := dockerfile.Steps(src)
		findings = slices.DeleteFunc(findings, func(f dockerfile.Finding) bool {
			return f.Level != dockerfile.Error || f.Rule == "MissingSource"
		})
		if len(findings) > 0 {
			return errors.Join(writeFindings(w.err, from.fileLabel(), findings), errSaid)
		}
	}
	var wants []image.Want
	for _, n := range named {
		wants = append(wants, n.Want)
	}
	lock, problems, err := c.lookUp(w, r, wants, dockerfile.BaseOf(named))
	if err != nil {
		return err
	}
	for _, p := range problems {
		at := slices.IndexFunc(named, func(n dockerfile.Named) bool { return n.Want == p.Want })
		fmt.Fprintf(w.err, "%s:%d: %s\n    %s\n", printable.Line(from.fileLabel()), named[at].Line,
			printable.Line(p.Err.Message.String()), printable.Line(p.Err.Advice.String()))
	}
	if len(problems) > 0 {
		return errSaid
	}
	_, err = w.out.Write(lock.Encode())
	return err
}

func (c *lockCommand) lookUp(w *world, r *rules, wants []image.Want, base image.Want) (lock image.Lock,
	problems []image.Problem, err error) {
	if c.Owner != "" {
		err = w.withService(func(_ *config.Config, s *site) error {
			owner, err := s.DB.UserByEmail(w.ctx, c.Owner)
			if err != nil {
				return orSee(err, "user list")
			}
			lock, problems = s.LookUp(w.ctx, owner.ID, wants, base)
			return nil
		})
		return lock, problems, err
	}
	for _, want := range wants {
		if _, _, isOwn := (&jobs.Service{Host: r.host}).OwnImage(want.Reference); isOwn {
			return nil, nil, misused("%s is an image of this site: specify --owner EMAIL, whose job it is", want.Reference)
		}
	}
	lock, problems = registry.New(r.registry, app.Version).LookUp(w.ctx, wants, base)
	return lock, problems, nil
}
