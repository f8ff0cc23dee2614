package buildcontext

import (
	"fmt"
	"io/fs"
	"strings"
)

// UnixMode is a mode as archives have it: permissions with set-id and sticky bits.
func UnixMode(m fs.FileMode) int64 {
	mode := int64(m.Perm())
	if m&fs.ModeSetuid != 0 {
		mode |= 0o4000
	}
	if m&fs.ModeSetgid != 0 {
		mode |= 0o2000
	}
	if m&fs.ModeSticky != 0 {
		mode |= 0o1000
	}
	return mode
}

// paxAttribute begins the key of an extended attribute in an archive.
const paxAttribute = "SCHILY.xattr."

// isKept tells whether builds keep an extended attribute, by its key in an archive: users', and capabilities.
func isKept(key string) bool {
	name, ok := strings.CutPrefix(key, paxAttribute)
	return ok && !strings.ContainsAny(name, "=\x00") &&
		(strings.HasPrefix(name, "user.") && len(name) <= maxPart || name == "security.capability")
}

// KeptAttributes are those of the records of an archive that a context keeps.
func KeptAttributes(records map[string]string) (kept map[string]string) {
	for key, value := range records {
		if !isKept(key) {
			continue
		}
		if kept == nil {
			kept = map[string]string{}
		}
		kept[key] = strings.Clone(value) // what it was read with may be much larger
	}
	return kept
}

// Bytes writes a size for people: "3.2 MiB".
func Bytes(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d bytes", n)
	}
	size, unit := float64(n)/1024, 0
	for ; size >= 1023.95 && unit < 4; unit++ {
		size /= 1024
	}
	return fmt.Sprintf("%.1f %ciB", size, "KMGTP"[unit])
}
