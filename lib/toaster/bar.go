package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"toaster.do/lib/buildcontext"
)

// terminal returns the file of a writer that is a terminal; nil: it is none.
func terminal(w io.Writer) *os.File {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// bar is the progress of a transfer, on a terminal. Without one it counts, and shows nothing.
type bar struct {
	what  string
	total int64
	to    *os.File

	lock  sync.Mutex
	done  int64
	shown time.Time
	begun time.Time
}

func (w *world) bar(what string, total int64) *bar {
	b := &bar{what: what, total: total, begun: time.Now()}
	if !w.json {
		b.to = terminal(w.err)
	}
	return b
}

// add counts bytes; fewer than none where a transfer begins again.
func (b *bar) add(n int64) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.done += n
	if b.to == nil || time.Since(b.shown) < 100*time.Millisecond {
		return
	}
	b.shown = time.Now()
	const width = 30
	part := 0.0
	if b.total > 0 {
		part = min(1, float64(b.done)/float64(b.total))
	}
	full := int(part * width)
	rate := int64(float64(b.done) / max(0.1, time.Since(b.begun).Seconds()))
	fmt.Fprintf(b.to, "\r\x1b[K%s [%s%s] %3.0f %%  %s of %s  %s/s", b.what, strings.Repeat("=", full),
		strings.Repeat(" ", width-full), part*100, buildcontext.Bytes(b.done), buildcontext.Bytes(b.total),
		buildcontext.Bytes(rate))
}

// end clears the line.
func (b *bar) end() {
	b.lock.Lock()
	defer b.lock.Unlock()
	if b.to != nil && !b.shown.IsZero() {
		fmt.Fprint(b.to, "\r\x1b[K")
	}
}

// body counts what is read; closed before its end, it takes that back: it is sent again.
func (b *bar) body(r io.ReadCloser) io.ReadCloser { return &counted{ReadCloser: r, bar: b} }

type counted struct {
	io.ReadCloser
	bar  *bar
	n    int64
	over bool
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n += int64(n)
	c.over = c.over || err == io.EOF
	c.bar.add(int64(n))
	return n, err
}

func (c *counted) Close() error {
	if !c.over {
		c.bar.add(-c.n)
	}
	c.n = 0
	return c.ReadCloser.Close()
}
