package look

import (
	"fmt"
	"io"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"toaster.do/lib/engine"
	"toaster.do/lib/store"
	"toaster.do/lib/web"
)

func FuzzOffset(f *testing.F) {
	f.Add("12")
	f.Add("-0")
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := offset(s); err == nil && n < 0 {
			t.Errorf("%q gives %d", s, n)
		}
	})
}

func streamed(text string) *engine.Stream {
	return &engine.Stream{ReadCloser: io.NopCloser(strings.NewReader(text))}
}

func TestAStreamReadsWhereItIsAskedTo(t *testing.T) {
	const content = "0123456789"
	opened := 0
	s := &stream{size: 10, open: func(start int64) (*engine.Stream, error) {
		opened++
		return streamed(content[start:]), nil
	}}
	read := func(n int) string {
		b := make([]byte, n)
		if _, err := io.ReadFull(s, b); err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if got := read(3) + read(2); got != "01234" || opened != 1 {
		t.Errorf("%q, opened %d times", got, opened)
	}
	if _, err := s.Seek(-2, io.SeekEnd); err != nil || read(2) != "89" || opened != 2 {
		t.Errorf("opened %d times, %v", opened, err)
	}
	if n, err := s.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Error(n, err)
	}
	if _, err := s.Seek(11, io.SeekStart); err == nil {
		t.Error("a place after the end was found")
	}
}

func TestAStreamThatEndsTooEarlyIsAnError(t *testing.T) {
	s := &stream{size: 10, open: func(int64) (*engine.Stream, error) { return streamed("0123"), nil }}
	if b, err := io.ReadAll(s); len(b) != 4 || err != io.ErrUnexpectedEOF {
		t.Errorf("%q %v", b, err)
	}
}

// FuzzRange asks for a part of an artifact with any Range: what comes must be that part of the file.
func FuzzRange(f *testing.F) {
	for _, r := range []string{"bytes=0-3", "bytes=-2", "bytes=5-", "bytes=9-1", "bytes=0-0,2-3",
		"bytes=99999999999999999999-"} {
		f.Add(r)
	}
	const content = "0123456789"
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Range", header)
		s := &stream{size: 10, open: func(start int64) (*engine.Stream, error) { return streamed(content[start:]), nil }}
		w := httptest.NewRecorder()
		web.SendContent(w, &web.Request{Request: r}, time.Time{}, s)
		var from, to int
		switch w.Code {
		case 200:
			from, to = 0, 9
		case 206:
			if _, err := fmt.Sscanf(w.Header().Get("Content-Range"), "bytes %d-%d/10", &from, &to); err != nil {
				t.Fatal(w.Header())
			}
		case 416:
			return
		default:
			t.Fatalf("%q: %d", header, w.Code)
		}
		if got := w.Body.String(); got != content[from:to+1] {
			t.Errorf("%q: %q", header, got)
		}
	})
}

// FuzzJobQuery: whatever stands in an address, what is looked for makes sense, and the links to other pages look for
// the same.
func FuzzJobQuery(f *testing.F) {
	f.Add("q=web&state=failed&sort=name&page=2")
	f.Add("q=" + strings.Repeat("ü", 150) + "&page=-1")
	f.Fuzz(func(t *testing.T, raw string) {
		v, _ := url.ParseQuery(raw)
		q, number := jobQuery(v, web.PageLength)
		if number < 1 || number > 1e6 || q.Offset != (number-1)*web.PageLength || q.Limit != web.PageLength {
			t.Errorf("page %d, %+v", number, q)
		}
		if len(q.Text) > 200 || !utf8.ValidString(q.Text) || q.State != "" && !slices.Contains(store.JobStates, q.State) ||
			!slices.Contains([]string{"", "name", "activity"}, q.Sort) {
			t.Errorf("%+v", q)
		}
		to, err := url.Parse(web.PageAddress("/jobs", asked(q), number))
		if err != nil || to.Path != "/jobs" || to.Host != "" {
			t.Fatal(to, err)
		}
		if again, page := jobQuery(to.Query(), web.PageLength); again != q || page != number {
			t.Errorf("%+v became %+v", q, again)
		}
	})
}
