package main

import (
	"errors"
	"fmt"

	"github.com/alecthomas/kong"

	"toaster.do/lib/apperr"
	"toaster.do/lib/jobs"
	"toaster.do/lib/printable"
)

// report says what went wrong, and what to do next, and returns the exit status.
func (w *world) report(err error) int {
	var parse *kong.ParseError
	var misuse usage
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errSaid):
		return 1
	case errors.Is(err, errUnchecked):
		return 3
	case errors.As(err, &parse):
		name := "toasterctl"
		if c := parse.Context.Selected(); c != nil {
			name = c.FullPath()
		}
		fmt.Fprintf(w.err, "toasterctl: %s\nRun “%s --help” for the usage.\n", printable.Line(err.Error()), name)
		return 2
	case errors.As(err, &misuse):
		fmt.Fprintf(w.err, "toasterctl: %s\n", printable.Line(misuse.message))
		return 2
	}
	message, advice := explain(err)
	fmt.Fprintf(w.err, "toasterctl: %s\n", printable.Line(message))
	if advice != "" {
		fmt.Fprintln(w.err, printable.Line(advice))
	}
	return 1
}

// explain returns what happened, with its cause in parentheses, and what to do next.
func explain(err error) (message, advice string) {
	var rejected *jobs.Rejected
	if errors.As(err, &rejected) {
		err = rejected.Faults[0]
	}
	return apperr.Explain(err)
}

// orSee adds to a NotFound that gives no advice which command shows what there is.
func orSee(err error, command string) error {
	f := apperr.Of(err)
	if f.Kind != apperr.NotFound || !f.Advice.IsZero() {
		return err
	}
	return apperr.Wrap(f.Kind, f.Err, "%s", "“toasterctl %s” lists them.", f.Message, command)
}
