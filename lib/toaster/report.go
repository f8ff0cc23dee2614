package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/alecthomas/kong"

	"toaster.do/lib/apperr"
	"toaster.do/lib/printable"
)

// The exit status of a command.
const (
	exitFailed      = 1
	exitRefused     = 2
	exitUnreachable = 3
	exitInterrupted = 130
)

// usage is a wrong usage that only the command itself can see.
type usage struct{ message string }

func (u usage) Error() string { return u.message }

func misused(format string, args ...any) error { return usage{fmt.Sprintf(format, args...)} }

// failure ends a command with an exit status. The message is empty where all is said already.
type failure struct {
	exit            int
	message, advice string
}

func (f *failure) Error() string { return f.message }

func failed(exit int, advice, format string, args ...any) error {
	return &failure{exit, fmt.Sprintf(format, args...), advice}
}

// report says what went wrong, and what to do next, and returns the exit status.
func (w *world) report(err error) int {
	if err == nil {
		return 0
	}
	f := w.explain(err)
	if f.message == "" {
		return f.exit
	}
	if w.json {
		w.event("error", map[string]any{"detail": f.message, "advice": f.advice, "exit": f.exit})
		return f.exit
	}
	fmt.Fprintf(w.err, "toaster: %s\n", printable.Line(f.message))
	if f.advice != "" {
		fmt.Fprintln(w.err, printable.Line(f.advice))
	}
	return f.exit
}

// explain makes a failure of any error.
func (w *world) explain(err error) *failure {
	var (
		f     *failure
		parse *kong.ParseError
		u     usage
		p     *problem
		lost  *unreachable
		ours  *apperr.Error
	)
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &parse):
		name := "toaster"
		if c := parse.Context.Selected(); c != nil {
			name = c.FullPath()
		}
		return &failure{exitRefused, err.Error(), "Run “" + name + " --help” for the usage."}
	case errors.As(err, &u):
		return &failure{exitRefused, u.message, ""}
	case errors.As(err, &p):
		return p.failure()
	case errors.As(err, &lost):
		return &failure{exitUnreachable, lost.Error(), lost.advice}
	case errors.Is(err, context.Canceled):
		return &failure{exitInterrupted, "interrupted", ""}
	case errors.As(err, &ours):
		message, advice := apperr.Explain(err)
		return &failure{exitRefused, message, advice}
	}
	return &failure{exitFailed, err.Error(), ""}
}
