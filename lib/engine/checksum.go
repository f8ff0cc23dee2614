package engine

import (
	"encoding/hex"
	"strings"
)

// ParseChecksum reads a line of SHA256SUMS, as sha256sum(1) writes it: digest, two spaces or a space and an asterisk,
// and the name; after a backslash at the line's beginning the name is escaped. The digest is in lower case.
func ParseChecksum(line string) (name, digest string, ok bool) {
	line, escaped := strings.CutPrefix(line, `\`)
	if len(line) < 67 || line[64] != ' ' || line[65] != ' ' && line[65] != '*' {
		return "", "", false
	}
	name, digest = line[66:], strings.ToLower(line[:64])
	if _, err := hex.DecodeString(digest); err != nil {
		return "", "", false
	}
	if escaped {
		name = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r").Replace(name)
	}
	return strings.TrimPrefix(name, "./"), digest, true
}
