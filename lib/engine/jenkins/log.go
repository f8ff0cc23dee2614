package jenkins

import (
	"bytes"
	"context"
	"io"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
)

// Log reads a part of a build's log. See engine.Engine.
//
// Offsets count bytes of Jenkins's log file. Its text is another: each LF became CR LF, notes for Jenkins's own pages
// are left out, and what is no UTF-8 was replaced (LargeText, LineEndNormalizingWriter, PlainTextConsoleOutputStream).
// The only offset that Jenkins names is that of the end of what it sends, and it sends everything there is. So where
// that is more than a chunk, the offset of a place in the text is guessed, and Jenkins is asked what stands there: the
// chunk ends where that text begins. It is exact wherever the text differs from its surroundings; where it doesn't, or
// notes hide the place, lines may come twice. None is ever left out.
func (e *Engine) Log(ctx context.Context, name string, number int, offset int64) (engine.Chunk, error) {
	if number < 1 || !engine.ValidName(name) {
		return engine.Chunk{}, errNoBuild
	}
	offset = max(0, offset)
	l := logReader{e.requester, path("job", name, strconv.Itoa(number), "logText", "progressiveText")}
	if offset == math.MaxInt64 {
		return l.end(ctx, path("job", name, strconv.Itoa(number), "console"))
	}
	p, err := l.read(ctx, offset, engine.MaxChunk+probe)
	if apperr.KindOf(err) == apperr.NotFound {
		return engine.Chunk{}, errNoBuild
	}
	switch {
	case err != nil:
		return engine.Chunk{}, err
	case p.end < offset: // past the end: then Jenkins sends all from the beginning
		return engine.Chunk{Next: p.end, More: p.more}, nil
	case p.whole && len(p.text) <= engine.MaxChunk:
		return engine.Chunk{Text: p.text, Next: p.end, More: p.more}, nil
	}
	return l.split(ctx, offset, p.text)
}

// end asks where the log ends. Jenkins says it only to who reads up to there, and reads the rest of a log before it
// answers: the page with the log's last part tells where that begins. Where it doesn't, all is read.
func (l logReader) end(ctx context.Context, page string) (engine.Chunk, error) {
	var text string
	if _, err := l.requester.Get(ctx, page, &text, nil); err != nil {
		if apperr.KindOf(err) == apperr.NotFound {
			return engine.Chunk{}, errNoBuild
		}
		return engine.Chunk{}, err
	}
	p, err := l.read(ctx, tailOf(text), 0)
	if apperr.KindOf(err) == apperr.NotFound {
		return engine.Chunk{}, errNoBuild
	}
	return engine.Chunk{Next: p.end, More: p.more}, err
}

// skipped is how a page with the last part of a log says how much is before: hudson/model/Run/console.properties.
var skipped = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`([0-9][^a-zA-Z<>]*) KB`) })

// tailOf finds where the part of a log that its page shows begins, or somewhat before; 0 where it shows all. What is in
// the log itself is not looked at.
func tailOf(page string) int64 {
	head, _, _ := strings.Cut(page, `id="out"`)
	m := skipped().FindStringSubmatch(head)
	if m == nil {
		return 0
	}
	digits := strings.Join(strings.FieldsFunc(m[1], func(r rune) bool { return r < '0' || r > '9' }), "")
	kib, err := strconv.ParseInt(digits, 10, 40)
	if err != nil {
		return 0
	}
	return max(0, kib-1) << 10 // it is rounded
}

// probe is how much is read of the text at a guessed offset, and beyond the end of a chunk; slack is how far the guess
// may be from the place.
const probe, slack = 4 << 10, 32 << 10

type logReader struct {
	requester *requester
	path      string
}

// part is the text from an offset on.
type part struct {
	text  []byte // with LF
	end   int64  // the offset of the end of what Jenkins sent
	whole bool   // text is all that it sent
	more  bool   // the build runs
}

// read asks for the log from start on, and reads the first bytes of it.
func (l logReader) read(ctx context.Context, start int64, limit int) (p part, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.requester.limit)
	defer cancel()
	c := call{method: http.MethodGet, path: l.path, query: url.Values{"start": {strconv.FormatInt(start, 10)}}}
	resp, err := l.requester.do(ctx, c)
	if err != nil {
		return p, err
	}
	defer resp.Body.Close()
	if p.end, err = strconv.ParseInt(resp.Header.Get("X-Text-Size"), 10, 64); err != nil {
		return p, responseError(resp, c)
	}
	p.more = resp.Header.Get("X-More-Data") == "true"
	text, err := io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	if err != nil {
		return p, truncatedError(ctx, c, err)
	}
	p.whole = len(text) <= limit
	if !p.whole {
		text = wholeRunes(bytes.TrimSuffix(text, []byte("\r")))
	}
	p.text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	return p, nil
}

// wholeRunes leaves out a character that is cut off at the end.
func wholeRunes(text []byte) []byte {
	for n := 1; n <= min(utf8.UTFMax-1, len(text)); n++ {
		if last := text[len(text)-n:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				return text[:len(text)-n]
			}
			break
		}
	}
	return text
}

// split returns a chunk of a text that is too long for one.
func (l logReader) split(ctx context.Context, offset int64, text []byte) (engine.Chunk, error) {
	cut := min(engine.MaxChunk, len(text)) - slack
	if line := bytes.LastIndexByte(text[:cut], '\n'); line > 0 {
		cut = line + 1
	} else {
		cut = len(wholeRunes(text[:cut]))
	}
	likely, least := rawLength(text[:cut])
	for _, length := range []int64{likely, least} {
		next := offset + length
		p, err := l.read(ctx, next, probe)
		if err != nil {
			return engine.Chunk{}, err
		}
		if p.end < next {
			continue
		}
		at := locate(text, p.text, cut, length == least)
		if at <= 0 { // it may begin within a character
			rest := bytes.TrimLeft(p.text, string(utf8.RuneError))
			next += int64(len(p.text)-len(rest)) / int64(len(replaced))
			at = locate(text, rest, cut, length == least)
		}
		if at > 0 {
			return engine.Chunk{Text: text[:at], Next: next, More: true}, nil
		}
	}
	return engine.Chunk{Text: text[:cut], Next: offset + least, More: true}, nil
}

// replaced is what a byte that belongs to no character becomes.
var replaced = []byte(string(utf8.RuneError))

// rawLength returns how long a text is in the log file if that is UTF-8 with LF and has no notes, and how long it is at
// least: a byte for each character.
func rawLength(text []byte) (likely, least int64) {
	return int64(len(text) - (len(replaced)-1)*bytes.Count(text, replaced)), int64(utf8.RuneCount(text))
}

// locate finds where in a text a passage begins that belongs at place or before it: of several such places it is the
// last, so that nothing is left out. Where the passage may belong behind that place, too, only a single one counts.
func locate(text, passage []byte, place int, before bool) int {
	passage = passage[:min(len(passage), probe/2)]
	if len(passage) == 0 {
		return -1
	}
	if before {
		return bytes.LastIndex(text[:min(len(text), place+len(passage))], passage)
	}
	if at := bytes.Index(text, passage); at <= engine.MaxChunk && at == bytes.LastIndex(text, passage) {
		return at
	}
	return -1
}
