// Package tomlerr says at which line and key a TOML file can't be read.
package tomlerr

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Explain turns an error of the TOML decoder, in its strict mode, into "path:line: key: what is wrong". Any other error
// gets the path in front.
func Explain(err error, path string) error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		return at(&unknown.Errors[0], path, "unknown key")
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		return at(bad, path, strings.TrimPrefix(bad.Error(), "toml: "))
	}
	return fmt.Errorf("%s: %w", path, err)
}

func at(e *toml.DecodeError, path, what string) error {
	if len(e.Key()) > 0 {
		what = strings.Join(e.Key(), ".") + ": " + what
	}
	line, _ := e.Position()
	return fmt.Errorf("%s:%d: %s", path, line, what)
}
