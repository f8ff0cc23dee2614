package jenkinstest

import (
	"bytes"
	"fmt"
	"html"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var note = regexp.MustCompile("\x1b\\[8mha:[A-Za-z0-9+/=]*\x1b\\[0m")

// The most lines that a running build's log gives at once.
const longestRead = 10000

// tail is the log from start, and where it ends: while the build runs only whole lines. A start beyond the end gives
// the whole log.
func (b *build) tail(start int64) (text []byte, end int64) {
	all, err := os.ReadFile(b.log.Name())
	if err != nil {
		return nil, 0
	}
	if start > int64(len(all)) {
		start = 0
	}
	text = all[start:]
	if b.phase != complete {
		at := 0
		for range longestRead {
			n := bytes.IndexByte(text[at:], '\n')
			if n < 0 {
				break
			}
			at += n + 1
		}
		text = text[:at]
	}
	return text, start + int64(len(text))
}

// readable is a log without notes, in UTF-8.
func readable(text []byte) string { return string([]rune(string(note.ReplaceAll(text, nil)))) }

// progressiveText answers a part of the log, with CRLF.
func (c *call) progressiveText(b *build) {
	start, err := strconv.ParseInt(c.form.Get("start"), 10, 64)
	if err != nil || start < 0 {
		c.oops(http.StatusInternalServerError)
		return
	}
	text, end := b.tail(start)
	c.spool(len(text))
	c.w.Header().Set("X-Text-Size", strconv.FormatInt(end, 10))
	if b.phase != complete {
		c.w.Header().Set("X-More-Data", "true")
	}
	c.text("text/plain;charset=utf-8",
		strings.ReplaceAll(strings.ReplaceAll(readable(text), "\r\n", "\n"), "\n", "\r\n"))
}

// spool is the time that Jenkins takes to read what it is about to send, all of it before the first byte.
func (c *call) spool(bytes int) {
	if c.s.opt.Spool > 0 {
		c.s.spooled.Add(int64(bytes))
		c.unlocked(func() { time.Sleep(c.s.opt.Spool * time.Duration(bytes) / (1 << 20)) })
	}
}

// Spooled is how much of logs was read, in bytes, before the first byte of an answer was sent, where Options.Spool is
// set.
func (s *Server) Spooled() int64 { return s.spooled.Load() }

// tailKB is how much of a log its page shows: hudson.consoleTailKB.
const tailKB = 150

// consolePage is the page with a log's end, which says where that is.
func (c *call) consolePage(b *build) {
	offset, body := int64(0), ""
	if info, err := os.Stat(b.log.Name()); err == nil {
		offset = max(0, info.Size()-tailKB<<10)
	}
	if offset > 0 {
		body = "\n          Skipping " + grouped(offset/1024) + ` KB.. <a href="consoleFull">Full Log</a>` + "\n"
	}
	shown := ""
	if b.phase == complete { // else a script asks for it
		text, _ := b.tail(offset)
		shown = html.EscapeString(readable(text))
	}
	c.page(http.StatusOK, b.name()+" Console", body+fmt.Sprintf(`<pre class="console-output" id="out">%s</pre>`, shown))
}

// grouped is a number as an English reader gets it.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for at := len(s) - 3; at > 0; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}

// consoleText is the log's bytes, whatever they are: Run.doConsoleText.
func (c *call) consoleText(b *build) {
	text, _ := b.tail(0)
	c.text("text/plain;charset=utf-8", string(note.ReplaceAll(text, nil)))
}
