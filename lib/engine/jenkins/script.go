package jenkins

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"math"
	"strings"
	"time"

	"toaster.do/lib/engine"
)

// failedStatus is what the shell step ends with when the build has failed by itself. Jenkins is told to take it for
// "unstable": so the result alone tells that from a build that Jenkins, its agent or their hosts have ended, which is a
// "failure" there, and no log has to be searched.
const failedStatus = 99

// wrapper runs on the agent around the build script: an empty workspace, a time limit, nothing left behind but dist/.
//
//go:embed wrapper.sh
var wrapper string

// shellStep returns the shell step of a job. It begins with an interpreter's line, so that Jenkins doesn't run it with
// -xe.
func shellStep(job engine.Job) []byte {
	seconds := max(1, int64((job.TimeLimit+time.Second-1)/time.Second))
	most := int64(math.MaxInt64)
	if job.OutputLimit > 0 {
		most = job.OutputLimit
	}
	head := strings.NewReplacer("@MARK@", mark(job.Name), "@FAILED@", fmt.Sprint(failedStatus),
		"@SECONDS@", fmt.Sprint(seconds), "@LIMIT@", engine.FormatDuration(time.Duration(seconds)*time.Second),
		"@BYTES@", fmt.Sprint(most), "@MOST@", engine.FormatBytes(most))
	before, after, _ := strings.Cut(wrapper, "@SCRIPT@\n")
	var b bytes.Buffer
	b.WriteString(head.Replace(before))
	b.Write(embedScript(job.Script))
	b.WriteString(head.Replace(after))
	return b.Bytes()
}

// embedScript returns shell code that prints script, byte for byte. Jenkins stores the step as XML, turns CR LF into
// LF, and writes it on the agent in the encoding that the agent has: plain text goes through that as it is, and can be
// read in Jenkins; anything else goes as base64.
func embedScript(script []byte) []byte {
	const end = "TOASTER-END-OF-SCRIPT"
	var b bytes.Buffer
	if isPlain(script) && !bytes.Contains(script, []byte(end)) {
		fmt.Fprintf(&b, "cat <<'%s'\n%s%s\n", end, script, end)
		return b.Bytes()
	}
	text := base64.StdEncoding.EncodeToString(script)
	fmt.Fprintf(&b, "base64 -d <<'%s'\n", end)
	for len(text) > 0 {
		n := min(76, len(text))
		b.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	b.WriteString(end + "\n")
	return b.Bytes()
}

// isPlain tells whether script is whole lines of printable ASCII and tabs.
func isPlain(script []byte) bool {
	for _, c := range script {
		if (c < ' ' || c > '~') && c != '\n' && c != '\t' {
			return false
		}
	}
	return len(script) > 0 && script[len(script)-1] == '\n'
}
