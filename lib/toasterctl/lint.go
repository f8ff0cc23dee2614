package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"toaster.do/lib/app"
	"toaster.do/lib/dockerfile"
	"toaster.do/lib/jobs"
	"toaster.do/lib/target"
)

type lintCommand struct {
	JSON   bool   `help:"Print the findings as a JSON array."`
	Target string `help:"Judge it for this target." placeholder:"TARGET"`
	source
}

func (c *lintCommand) Help() string {
	return "Prints FILE:LINE: LEVEL RULE: what is wrong, and below it what to do. " +
		"The exit status is 1 where a build would fail, or leave other files than a real builder; warnings and notes leave it 0. " +
		"Without --context, what COPY and ADD take from it is not looked up."
}

func (c *lintCommand) Run(w *world) error {
	_, _, findings, err := c.translate(w, c.Target)
	if err != nil {
		return err
	}
	if c.Context == "" {
		findings = slices.DeleteFunc(findings, func(f dockerfile.Finding) bool { return f.Rule == "MissingSource" })
	}
	if c.JSON {
		err = writeJSON(w.out, append([]dockerfile.Finding{}, findings...))
	} else {
		err = writeFindings(w.out, c.fileLabel(), findings)
	}
	if err == nil && slices.ContainsFunc(findings, func(f dockerfile.Finding) bool { return f.Level == dockerfile.Error }) {
		return errSaid
	}
	return err
}

type blendCommand struct {
	Target string `help:"Translate for this target's architecture and release; else for amd64." placeholder:"TARGET"`
	source
}

func (c *blendCommand) Help() string {
	return "The blend, alone, is printed on standard output, findings on standard error. Where it can't be translated, nothing is printed on standard output, and the exit status is 1."
}

func (c *blendCommand) Run(w *world) error {
	_, blend, err := c.blend(w, c.Target)
	if err != nil {
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
	if err == nil && blend == nil {
		err = errSaid
	}
	return t, blend, err
}

type scriptCommand struct {
	Target string `required:"" help:"The target that the script builds." placeholder:"TARGET"`
	rootKey
	RootPassword bool `help:"Make a password for root, and print it to standard error: the script has its hash alone."`
	source
}

func (c *scriptCommand) Help() string {
	return "The script is POSIX sh and self-contained. Run it in an empty folder, as an agent would; it leaves the image in dist/. " +
		"Without --root-key and --root-password nobody logs in as root, unless the Dockerfile sees to it; with --root-password each script has another password."
}

func (c *scriptCommand) Run(w *world) error {
	target, blend, err := c.blend(w, c.Target)
	if err != nil {
		return err
	}
	access, err := c.access(w, target)
	if err != nil {
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
		fmt.Fprintf(w, "%s: %s %s: %s\n", printable(place), f.Level, f.Rule, printable(f.Message))
		if f.Advice != "" {
			fmt.Fprintf(w, "    %s\n", printable(f.Advice))
		}
	}
	return w.Flush() // with the first error of any write
}

func writeJSON(to io.Writer, v any) error {
	e := json.NewEncoder(to)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
