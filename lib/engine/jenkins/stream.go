package jenkins

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
)

var _ engine.Streamer = (*Engine)(nil)

// Stream sends a build's log from an offset on to its end, in one answer. See engine.Streamer.
//
// The whole log comes from consoleText, which begins to answer at once; progressiveText reads the rest of the log to
// its end before.
func (e *Engine) Stream(ctx context.Context, name string, number int, offset int64) (*engine.LogStream, error) {
	if number < 1 || !engine.ValidName(name) {
		return nil, errNoBuild
	}
	c := call{method: http.MethodGet, path: path("job", name, strconv.Itoa(number), "consoleText")}
	if offset >= 0 {
		c.path = path("job", name, strconv.Itoa(number), "logText", "progressiveText")
		c.query = url.Values{"start": {strconv.FormatInt(offset, 10)}}
	}
	ctx, cancel := context.WithCancel(ctx)
	resp, err := e.requester.do(ctx, c)
	if err != nil {
		cancel()
		if apperr.KindOf(err) == apperr.NotFound {
			return nil, errNoBuild
		}
		return nil, err
	}
	from := &timeoutReader{body: resp.Body, cancel: cancel,
		timer: time.AfterFunc(e.requester.limit, cancel), timeout: e.requester.limit}
	s := &engine.LogStream{Next: -1}
	cutOff := func(err error) error { return truncatedError(ctx, c, err) }
	b := &lfReader{bufio.NewReaderSize(from, 64<<10), from, cutOff, &s.Raw}
	s.ReadCloser = b
	if offset < 0 {
		return s, nil
	}
	if s.Next, err = strconv.ParseInt(resp.Header.Get("X-Text-Size"), 10, 64); err != nil {
		b.Close()
		return nil, responseError(resp, c)
	}
	s.More = resp.Header.Get("X-More-Data") == "true"
	if s.Next < offset { // past the end: then Jenkins sends all from the beginning
		b.text.Reset(eof{})
	}
	return s, nil
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// lfReader is a text with LF for CR LF. What can't be read to its end is an error, never a shorter text.
type lfReader struct {
	text *bufio.Reader
	io.Closer
	cutOff func(error) error
	raw    *int64 // bytes of the text as it came
}

func (b *lfReader) Read(p []byte) (n int, err error) {
	for n < len(p) && (n == 0 || b.text.Buffered() > 0) { // what there is, is shown
		c, err := b.text.ReadByte()
		if err == nil {
			*b.raw++
		}
		if c == '\r' && err == nil {
			var next []byte
			if next, err = b.text.Peek(1); err == io.EOF {
				err = nil
			}
			if len(next) > 0 && next[0] == '\n' {
				continue
			}
		}
		if err != nil && err != io.EOF {
			err = b.cutOff(err)
		}
		if err != nil {
			return n, err
		}
		p[n] = c
		n++
	}
	return n, nil
}
