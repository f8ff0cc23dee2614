package jenkinstest

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// console is a build's log. Its file has LF, and notes that readers don't see.
type console struct{ file *os.File }

func openConsole(path string) *console {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		panic(err)
	}
	return &console{f}
}

func (l *console) say(lines ...string) {
	for _, line := range lines {
		io.WriteString(l.file, line+"\n")
	}
}

func (l *console) close() { l.file.Close() }

// started has the note that makes a link of the user's name.
func (l *console) started(user string) {
	l.say("Started by user \x1b[8mha:////4" + strings.Repeat("AbCd0123", 16) + "=\x1b[0m" + user)
}

var note = regexp.MustCompile("\x1b\\[8mha:[A-Za-z0-9+/=]*\x1b\\[0m")

// The most lines that a running build's log gives at once.
const longestRead = 10000

// tail is the log from start, and where it ends: while the build runs only whole lines.
func (b *run) tail(start int64) (text []byte, end int64, err error) {
	all, err := os.ReadFile(b.log.file.Name())
	if err != nil {
		return nil, 0, err
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
	return text, start + int64(len(text)), nil
}

// readable is a log without notes, in UTF-8.
func readable(text []byte) string {
	var b strings.Builder
	for _, r := range string(note.ReplaceAll(text, nil)) {
		b.WriteRune(r)
	}
	return b.String()
}

// progressiveText answers a part of the log, with CRLF.
func (c *call) progressiveText(b *run) {
	start := int64(0)
	if c.form.Has("start") {
		var err error
		if start, err = strconv.ParseInt(c.param("start"), 10, 64); err != nil || start < 0 {
			c.oops(http.StatusInternalServerError)
			return
		}
	}
	text, end, err := b.tail(start)
	c.spool(len(text))
	if err != nil {
		c.w.Header().Set("X-Text-Size", "0")
		c.w.Header().Set("X-More-Data", "true")
		c.text("text/plain;charset=utf-8", "")
		return
	}
	c.w.Header().Set("X-Text-Size", strconv.FormatInt(end, 10))
	if b.phase != complete {
		c.w.Header().Set("X-More-Data", "true")
	}
	c.text("text/plain;charset=utf-8", strings.ReplaceAll(strings.ReplaceAll(readable(text), "\r\n", "\n"), "\n", "\r\n"))
}

// spool is the time that Jenkins takes to read what it is about to send, all of it before the first byte.
func (c *call) spool(bytes int) {
	if c.s.opt.Spool > 0 {
		c.s.spooled.Add(int64(bytes))
		c.unlocked(func() { time.Sleep(c.s.opt.Spool * time.Duration(bytes) / (1 << 20)) })
	}
}

// Spooled is how much of logs was read, in bytes, before the first byte of an answer was sent, where Options.Spool is set.
func (s *Server) Spooled() int64 { return s.spooled.Load() }

// tailKB is how much of a log its page shows: hudson.consoleTailKB.
const tailKB = 150

// consolePage is the page with a log's end, of which a client may want to know where that is.
func (c *call) consolePage(b *run) {
	info, err := os.Stat(b.log.file.Name())
	offset := int64(0)
	if err == nil {
		offset = max(0, info.Size()-tailKB<<10)
	}
	body := ""
	if offset > 0 {
		body = "\n          Skipping " + grouped(offset/1024) + ` KB.. <a href="consoleFull">Full Log</a>` + "\n"
	}
	if b.phase == complete {
		text, _, _ := b.tail(offset)
		body += `<pre class="console-output" id="out">` + html.EscapeString(readable(text)) + `</pre>`
	} else {
		body += fmt.Sprintf(`<pre id="out" class="console-output"></pre><div id="spinner"></div><div class="progressiveText-holder" `+
			`data-href="logText/progressiveHtml" data-idref="out" data-spinner="spinner" data-start-offset="%d" `+
			`data-on-finish-event="jenkins:consoleFinished"></div>`, offset)
	}
	c.head(http.StatusOK, htmlUTF8)
	c.page(b.name()+" Console", body)
}

// grouped is a number as an English reader gets it.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for at := len(s) - 3; at > 0; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}

func (c *call) consoleText(b *run) {
	text, _, err := b.tail(0)
	if err != nil {
		c.notFound()
		return
	}
	c.text("text/plain;charset=utf-8", string(note.ReplaceAll(text, nil))) // its bytes, whatever they are: Run.doConsoleText
}
