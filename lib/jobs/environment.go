package jobs

import (
	"slices"
	"strings"
	"unicode/utf8"

	"toaster.do/lib/apperr"
	"toaster.do/lib/printable"
)

// ParseEnvironment reads variables for the application, as "docker run --env-file" does: NAME=VALUE a line, whose value
// is all that follows the first "=". Empty lines and those that begin with # are passed over; of two of one name the
// later counts. A line that is none is a *Rejected.
func ParseEnvironment(text string) ([]string, error) {
	var list []string
	for i, line := range itemLines(text) {
		if line == "" || line[0] == '#' {
			continue
		}
		if !utf8.ValidString(line) || strings.Contains(line, "\x00") {
			return nil, refuse(apperr.InvalidArgument, "environment",
				"Line %d of the runtime environment is not UTF-8 text.", "Send it as text.", i+1)
		}
		name, _, ok := strings.Cut(line, "=")
		if !ok || name == "" || strings.Contains(name, " ") || !printable.Is(name) {
			return nil, refuse(apperr.InvalidArgument, "environment",
				"Line %d of the runtime environment is not NAME=VALUE.",
				"Enter one variable per line, such as DB_HOST=10.0.0.5.", i+1)
		}
		list = slices.DeleteFunc(list, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
		list = append(list, line)
	}
	return list, nil
}
