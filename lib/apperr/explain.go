package apperr

import (
	"errors"
	"strings"
)

// Explain returns what happened and what to do next for the administrator: with the cause that the log would have, and
// without the advice for others.
func Explain(err error) (message, advice string) {
	var e *Error
	if !errors.As(err, &e) {
		return err.Error(), ""
	}
	message = e.Message.String()
	if e.Err != nil {
		message += " (" + e.Err.Error() + ")"
	}
	_, mine, ok := strings.Cut(e.Advice.String(), "Administrator: ")
	switch {
	case !ok:
		return message, e.Advice.String()
	case mine == "see the log.":
		return message, ""
	}
	return message, strings.ToUpper(mine[:1]) + mine[1:]
}
