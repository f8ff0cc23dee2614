package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"toaster.do/lib/app"
	"toaster.do/lib/apperr"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/jobs"
	"toaster.do/lib/printable"
	"toaster.do/lib/shell"
	"toaster.do/lib/target"
)

type lintCommand struct {
	JSON   bool   `help:"Print the findings as a JSON array."`
	Target string `help:"Check the Dockerfile for this target." placeholder:"TARGET"`
	lockFlag
	source
}

func (c *lintCommand) Help() string {
	return "Prints FILE:LINE: LEVEL RULE: and the finding, with the suggested fix below it. " +
		"The exit code is 1 if the build would fail or differ from Docker's; it is 0 if there are only warnings and notes. " +
		"Without --context, the files of COPY and ADD are not checked."
}

func (c *lintCommand) Run(w *world) error {
	c.lock, c.inside = c.Lock, -1 // nobody reads the blend
	defer c.close()
	_, _, findings, err := c.translate(w, c.Target)
	if err != nil {
		return err
	}
	if c.Lock == "" {
		findings = slices.DeleteFunc(findings, notLocked)
	}
	if c.Context == "" {
		findings = slices.DeleteFunc(findings, func(f dockerfile.Finding) bool { return f.Rule == "MissingSource" })
	}
	if c.JSON {
		err = writeJSON(w.out, append([]dockerfile.Finding{}, findings...))
	} else {
		err = writeFindings(w.out, c.fileLabel(), findings)
	}
	if err == nil && slices.ContainsFunc(findings,
		func(f dockerfile.Finding) bool { return f.Level == dockerfile.Error }) {
		return errSaid
	}
	return err
}

type blendCommand struct {
	Target string `help:"Translate for the architecture and release of this target. Default: amd64." placeholder:"TARGET"`
	lockFlag
	contextFlag
	source
}

func (c *blendCommand) Help() string {
	return "Prints the blend to standard output, and findings to standard error. If the Dockerfile can't be translated, " +
		"nothing is printed to standard output, and the exit code is 1."
}

func (c *blendCommand) Run(w *world) error {
	c.lock = c.Lock
	c.place(&c.source)
	defer c.close()
	_, blend, err := c.blend(w, c.Target)
	if err != nil {
		return err
	}
	if err := c.write(w, &c.source, c.context, blend); err != nil {
		return err
	}
	_, err = w.out.Write(blend.Text)
	return err
}

// blend translates, with the findings on standard error.
func (s *source) blend(w *world, target string) (target.Target, *dockerfile.Blend, error) {
	t, blend, findings, err := s.translate(w, target)
	if err == nil {
		err = writeFindings(w.err, s.fileLabel(), findings)
	}
	if err == nil && slices.ContainsFunc(findings, notLocked) {
		err = apperr.New(apperr.FailedPrecondition, "The digests of the images are not known.",
			"Run “toasterctl lock %s >FILE”, and add --lock FILE.", shell.Quote(s.Dockerfile))
	}
	if err == nil && blend == nil {
		err = errSaid
	}
	return t, blend, err
}

func notLocked(f dockerfile.Finding) bool { return f.Rule == "ImageNotLocked" }

type scriptCommand struct {
	Target string `required:"" help:"The target to build." placeholder:"TARGET"`
	rootKey
	RootPassword bool `help:"Generate a password for root, and print it to standard error. The script only contains its hash."`
	lockFlag
	contextFlag
	source
}

func (c *scriptCommand) Help() string {
	return "Prints a POSIX sh script, which is self-contained without --context-out. Run it in an empty folder; it creates the " +
		"image in dist/. " +
		"Without --root-key and --root-password, nobody can log in as root, unless the Dockerfile allows it. With " +
		"--root-password, each script gets another password."
}

func (c *scriptCommand) Run(w *world) error {
	c.lock = c.Lock
	c.place(&c.source)
	defer c.close()
	target, blend, err := c.blend(w, c.Target)
	if err != nil {
		return err
	}
	access, err := c.access(w, target)
	if err != nil {
		return err
	}
	if err := c.write(w, &c.source, c.context, blend); err != nil {
		return err
	}
	script, err := jobs.Script(target, blend, access, app.Version)
	if err != nil {
		return err
	}
	_, err = w.out.Write(script)
	return err
}

// writeFindings writes FILE:LINE: LEVEL RULE: message, as compilers do, so that editors find the line.
func writeFindings(to io.Writer, file string, findings []dockerfile.Finding) error {
	w := bufio.NewWriter(to)
	for _, f := range findings {
		place := file
		if f.Line > 0 {
			place = fmt.Sprintf("%s:%d", file, f.Line)
		}
		fmt.Fprintf(w, "%s: %s %s: %s\n", printable.Line(place), f.Level, f.Rule, printable.Line(f.Message.String()))
		if !f.Advice.IsZero() {
			fmt.Fprintf(w, "    %s\n", printable.Line(f.Advice.String()))
		}
	}
	return w.Flush() // with the first error of any write
}

func writeJSON(to io.Writer, v any) error {
	e := json.NewEncoder(to)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
