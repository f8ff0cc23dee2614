package jenkins

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"strings"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/shell"
)

// failedStatus is what the shell step ends with when the build has failed by itself. Jenkins is told to take it for
// "unstable": so the result alone tells that from a build that Jenkins, its agent or their hosts have ended, which is a
// "failure" there, and no log has to be searched.
const failedStatus = 99

// wrapper runs on the agent around the build script: an empty workspace, a time limit, nothing left behind but dist/.
//
//go:embed wrapper.sh
var wrapper string

// fetcher gets the files that the script needs beside it from the site.
//
//go:embed context.sh
var fetcher string

// fetchTime is how long a build waits for its context at most.
const fetchTime = time.Hour

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
	between, after, _ := strings.Cut(after, "@CONTEXT@\n")
	var b bytes.Buffer
	b.WriteString(head.Replace(before))
	b.Write(embedScript(job.Script))
	b.WriteString(head.Replace(between))
	if job.Context != nil {
		b.WriteString(fetchStep(job.Context, min(seconds, int64(fetchTime/time.Second))))
	}
	b.WriteString(head.Replace(after))
	return b.Bytes()
}

// fetchStep is the part of a step that gets what the script needs beside it, within so many seconds.
func fetchStep(c *engine.BuildContext, seconds int64) string {
	site := ""
	if u, err := url.Parse(c.Address); err == nil {
		site = u.Host
	}
	return strings.NewReplacer("@ARCHIVE@", shell.Quote(c.ID), "@CONTEXT_BYTES@", fmt.Sprint(c.Size),
		"@CONTEXT_SIZE@", fmt.Sprintf("'%.1f MiB'", float64(c.Size)/(1<<20)),
		"@DIGEST@", fmt.Sprintf("%x", sha256.Sum256(c.Manifest)),
		"@SITE@", shell.Quote(site), "@GIVE_UP@", fmt.Sprint(seconds), "@ADDRESS@", c.Address,
		"@FAILED@", fmt.Sprint(failedStatus)).Replace(fetcher)
}

// addresses are those that curl's configuration, a here-document and a sed script take as they are.
var addresses = regexp.MustCompile(`^https?://[A-Za-z0-9._~:/?\[\]!&()*+,;=%-]+$`)

// checkContext tells whether agents can get what the script needs beside it.
func checkContext(c *engine.BuildContext) error {
	if c == nil || addresses.MatchString(c.Address) {
		return nil
	}
	return apperr.New(apperr.FailedPrecondition,
		"The agents of Jenkins can't get the build context of this job: this site has no address for them.",
		"Administrator: set url in [site].")
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
