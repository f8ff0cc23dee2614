package dockerfile

import (
	"slices"
	"strings"

	language "github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/util/suggest"
)

// guess is the end of a message of BuildKit's parser that says what may have been meant.
var guess = lazy(`(?s)(unknown instruction: |unknown flag: --|unsupported mount type "|unsupported sharing value ")(.*?)"? \(did you mean (.*)\?\)$`)

// vocabulary is what a guess chooses from.
func vocabulary() [][]string {
	return [][]string{
		sortedKeys(language.Commands),
		{"platform"},
		{"chown", "chmod", "from", "link", "parents", "exclude", "keep-git-dir", "checksum", "unpack"},
		{"mount", "network", "security", "device"},
		{"interval", "timeout", "start-period", "start-interval", "retries"},
		{"bind", "cache", "tmpfs", "secret", "ssh"},
		{"shared", "private", "locked"},
	}
}

// sameGuess guesses anew: BuildKit walks a map, so its choice among words that are equally near differs from run to
// run. Here it is the first one.
func sameGuess(message string) string {
	part := guess().FindStringSubmatch(message)
	if part == nil {
		return message
	}
	message = message[:strings.LastIndex(message, " (did you mean ")]
	for _, words := range vocabulary() {
		if !slices.Contains(words, strings.ToLower(part[3])) {
			continue
		}
		if near, ok := suggest.Search(part[2], words, part[1] != "unknown instruction: "); ok {
			return message + " (did you mean " + near + "?)"
		}
	}
	return message
}
