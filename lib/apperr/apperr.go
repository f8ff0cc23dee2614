// Package apperr gives every error that a person may meet a kind, a sentence that says what happened,
// and a sentence that says what to do next. Details for the administrator stay in the wrapped error:
// they go to the log and never into a page.
package apperr

import (
	"cmp"
	"errors"
	"time"

	"toaster.do/lib/i18n"
)

// Kind is what an error means to the one who asked, in gRPC's words where gRPC has one. It decides the HTTP status and
// whether trying again helps.
type Kind string

const (
	None               Kind = ""                    // the kind of nil
	InvalidArgument    Kind = "invalid argument"    // the input is wrong: 422, or a malformed request: 400
	TooLarge           Kind = "too large"           // the input is over a limit: 413
	Unauthenticated    Kind = "unauthenticated"     // nobody is logged in, or the token is wrong: 401
	PermissionDenied   Kind = "permission denied"   // known, but not allowed: 403
	NotFound           Kind = "not found"           // not there, or somebody else's: 404
	Gone               Kind = "gone"                // it was there, and is not kept any more: 410
	AlreadyExists      Kind = "already exists"      // what was to be made is there, or another has its name: 409
	FailedPrecondition Kind = "failed precondition" // the state of things forbids it, or they have changed meanwhile: 409
	ResourceExhausted  Kind = "resource exhausted"  // a limit of the user's, and waiting alone doesn't help: 403
	RateLimited        Kind = "rate limited"        // too often: 429
	Unavailable        Kind = "unavailable"         // try again later: 503
	StorageFull        Kind = "storage full"        // no space left on the disk: 507
	Internal           Kind = "internal"            // our mistake, or the engine's: 500
)

// String is the kind's name, "none" of None.
func (k Kind) String() string { return cmp.Or(string(k), "none") }

// Error is an error made for a person.
type Error struct {
	Kind    Kind
	Message i18n.Text // what happened, one sentence, for the person who asked
	Advice  i18n.Text // what to do next, one sentence; may be empty
	Field   string    // the form field it belongs to; empty for the whole form
	Code    string    // what happened, for programs: "unknown_field"; empty: the kind
	Err     error     // the cause, for the log only; may be nil

	After time.Duration // when trying again may help: Retry-After; 0: unknown
}

// New returns an error of a kind with its message and advice. Of the arguments, the message's come first.
func New(kind Kind, message, advice i18n.Key, args ...any) *Error {
	return Wrap(kind, nil, message, advice, args...)
}

// Wrap is New with a cause. The cause is logged, never shown.
func Wrap(kind Kind, cause error, message, advice i18n.Key, args ...any) *Error {
	e := &Error{Kind: kind, Err: cause}
	e.Message, e.Advice = i18n.Split(message, advice, args)
	return e
}

// At returns a copy of e that belongs to the form field.
func (e *Error) At(field string) *Error {
	c := *e
	c.Field = field
	return &c
}

// In returns a copy of e that says after which time trying again may help.
func (e *Error) In(d time.Duration) *Error {
	c := *e
	c.After = d
	return &c
}

// Coded returns a copy of e with a code for programs.
func (e *Error) Coded(code string) *Error {
	c := *e
	c.Code = code
	return &c
}

// All returns the errors in err's tree, in order: several where a form has several. One that was not made for a person
// is Internal.
func All(err error) []*Error {
	var list []*Error
	var walk func(error)
	walk = func(err error) {
		if e, ok := err.(*Error); ok {
			list = append(list, e)
			return
		}
		switch u := err.(type) {
		case interface{ Unwrap() []error }:
			for _, e := range u.Unwrap() {
				walk(e)
			}
		case interface{ Unwrap() error }:
			if e := u.Unwrap(); e != nil {
				walk(e)
			}
		}
	}
	if walk(err); len(list) == 0 && err != nil {
		list = append(list, Of(err))
	}
	return list
}

// At returns the first of the errors that belongs to the form's field; nil: none does.
func At(list []*Error, field string) *Error {
	for _, e := range list {
		if e.Field == field {
			return e
		}
	}
	return nil
}

// Error returns message and cause, for logs and the command line's own errors.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message.String()
	}
	return e.Message.String() + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first error in err's chain; an error that was not made for a person is Internal,
// and nil is None.
func KindOf(err error) Kind {
	if err == nil {
		return None
	}
	return Of(err).Kind
}

// Of returns the first error in err's chain, or an Internal one that hides err from the reader.
func Of(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Wrap(Internal, err, "Something went wrong on this server.",
		"Try again. If the problem persists, contact the administrator, and include the request ID.")
}
