package jobs

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"path"
	"strconv"
	"strings"
	"time"

	"toaster.do/lib/dockerfile"
)

// maxName is the longest engine name in bytes; Jenkins fails above 255.
const maxName = 200

// EngineName returns EMAIL-TARGET-TIMESTAMP with "@" as "AT", as toaster.do named its Jenkins jobs. Whatever
// Jenkins refuses in a name, or treats in its own way, becomes "_"; a long address is cut, so that target
// and time stay.
func EngineName(email, target string, timestamp int64) string {
	tail := "-" + target + "-" + strconv.FormatInt(timestamp, 10)
	head := strings.Map(plain, strings.ReplaceAll(email, "@", "AT"))
	// Jenkins keeps each job in a folder of its name: a leading dot would hide it.
	head = strings.TrimLeft(head, ".-")
	if len(head) > maxName-len(tail) {
		head = head[:maxName-len(tail)]
	}
	return head + tail
}

// timestamp is what a job's name ends with: when it was made, in Unix seconds, and six digits more, by chance. So a
// name is never given twice, also when the job that had it is gone: an engine may still have something of that.
func timestamp(made time.Time) int64 {
	var b [4]byte
	rand.Read(b[:])
	return made.Unix()*1_000_000 + int64(binary.LittleEndian.Uint32(b[:])%1_000_000)
}

func plain(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("._+-", r):
		return r
	}
	return '_'
}

// newID returns a job's id: 12 characters, 60 random bits, fit for a URL and for reading aloud.
func newID() string {
	var b [8]byte
	rand.Read(b[:])
	return base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding).EncodeToString(b[:])[:12]
}

// defaultName names a job that has no name: after the only folder of its archive, else its origin, else what its
// Dockerfile runs. What can't be displayed is skipped.
func defaultName(top string, sub Submission) string {
	origin := path.Base(strings.ReplaceAll(sub.Origin, "\\", "/"))
	for _, end := range []string{".gz", ".bz2", ".xz", ".zst", ".tar", ".tgz", ".tbz2", ".zip"} {
		origin = strings.TrimSuffix(origin, end)
	}
	for _, name := range []string{top, strings.Trim(origin, "./"), dockerfile.Name(sub.Dockerfile)} {
		if name, err := cleanName(strings.TrimSpace(name)); err == nil && name != "" {
			return name
		}
	}
	return "image"
}

// nameOf returns the name of the job that an owner's submission makes.
func (s *Service) nameOf(owner int64, sub Submission) (string, error) {
	if name := strings.TrimSpace(sub.Name); name != "" {
		return cleanName(name)
	}
	top := ""
	if archive, err := s.context(owner, sub.Context); err == nil && archive != nil { // else it is said of that field
		top = archive.Top()
	}
	return defaultName(top, sub), nil
}
