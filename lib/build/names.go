package build

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"strconv"
	"strings"
)

// maxName is the longest engine name in bytes; Jenkins fails above 255.
const maxName = 200

// EngineName returns EMAIL-TARGET-TIMESTAMP with "@" as "AT", as toaster.do named its Jenkins jobs. Whatever
// Jenkins refuses in a name, or treats in its own way, becomes "_"; a long address is cut, so that target
// and time stay. The timestamp is in Unix seconds.
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

// later is how many seconds after its own a job's name says it was made, at the given try: names are unique, and a second's second job
// gets one of the next two seconds, or four, or eight: however many are added at once, one of them is soon free.
func later(try int) int64 {
	if try == 0 {
		return 0
	}
	var b [4]byte
	rand.Read(b[:])
	return 1 + int64(binary.LittleEndian.Uint32(b[:]))&(1<<min(try, 20)-1)
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
