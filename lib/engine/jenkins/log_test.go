package jenkins

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"toaster.do/lib/engine"
)

// note is a hidden note of Jenkins's in a log (hudson.console.ConsoleNote): its pages make links of it, its text leaves
// it out.
const note = "\x1b[8mha:////4Abcdefghijklmnopqrstuvwxyz0123456789+/ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyzAAAA=\x1b[0m"

// raw is a log as Jenkins keeps it in a file.
type raw struct {
	bytes   []byte
	running bool
	asked   atomic.Int32
}

// text is what Jenkins sends of a raw log: LargeText.doProgressText.
func text(raw []byte) []byte {
	raw = bytes.ReplaceAll(raw, []byte(note), nil)
	var b bytes.Buffer
	seenCR := false
	for _, r := range string(raw) { // what is no UTF-8 becomes U+FFFD
		if r == '\n' && !seenCR {
			b.WriteByte('\r')
		}
		b.WriteRune(r)
		seenCR = r == '\r'
	}
	return b.Bytes()
}

func (l *raw) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.asked.Add(1)
	start, err := strconv.Atoi(r.FormValue("start"))
	if err != nil || start < 0 {
		page(500, "Oops!")(w, r)
		return
	}
	end := len(l.bytes)
	if l.running {
		end = bytes.LastIndexByte(l.bytes, '\n') + 1
		w.Header().Set("X-More-Data", "true")
	}
	if len(l.bytes) < start {
		start = 0
	}
	w.Header().Set("Content-Type", "text/plain;charset=utf-8")
	w.Header().Set("X-Text-Size", strconv.Itoa(max(start, end)))
	w.Write(text(l.bytes[start:max(start, end)]))
}

// whole reads a log as a page does, part by part.
func whole(t *testing.T, e *Engine) string {
	t.Helper()
	var all strings.Builder
	for offset := int64(0); ; {
		c, err := e.Log(t.Context(), "demo", 1, offset)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Text) > engine.MaxChunk || c.Next < offset || c.More && c.Next == offset {
			t.Fatalf("from %d a chunk of %d bytes, next %d, more %v", offset, len(c.Text), c.Next, c.More)
		}
		all.Write(c.Text)
		if offset = c.Next; !c.More {
			return all.String()
		}
	}
}

func TestALogIsReadInPartsExactly(t *testing.T) {
	lines := func(n int, line func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(line(i))
		}
		return b.String()
	}
	head := note + "Started by user " + note + "toaster\nRunning as SYSTEM\n"
	for name, log := range map[string]string{
		"short":       head + "hello\n",
		"empty":       "",
		"no line end": "hello",
		"plain":       head + lines(30000, func(i int) string { return fmt.Sprintf("line %034d\n", i) }),
		"UTF-8":       lines(30000, func(i int) string { return fmt.Sprintf("größe 烤面包机 %d\n", i) }),
		"Latin-1":     lines(40000, func(i int) string { return fmt.Sprintf("gr\xf6\xdfe %d\n", i) }),
		"CR LF":       lines(40000, func(i int) string { return fmt.Sprintf("line %d\r\n", i) }),
		"some CR LF": lines(40000, func(i int) string {
			return fmt.Sprintf("line %d%s\n", i,
				strings.Repeat("\r", i%7/6))
		}),
		"CR":               lines(100000, func(i int) string { return fmt.Sprintf("%d %%\r", i) }),
		"notes everywhere": lines(20000, func(i int) string { return fmt.Sprintf("%sline %s%d\n", note, note, i) }),
		"notes now and then": lines(60000, func(i int) string {
			return strings.Repeat(note,
				i%1000/999) + fmt.Sprintf("line %d\n", i)
		}),
		"one long line": lines(150000, func(i int) string { return fmt.Sprintf("%d,", i) }),
		"bytes":         lines(200000, func(i int) string { return string([]byte{byte(i), byte(i >> 8), byte(i * 7)}) }),
	} {
		t.Run(name, func(t *testing.T) {
			e := serve(t, (&raw{bytes: []byte(log)}).ServeHTTP)
			want := strings.ReplaceAll(string(text([]byte(log))), "\r\n", "\n")
			if got := whole(t, e); got != want {
				t.Errorf("%d bytes instead of %d; they differ from byte %d on", len(got), len(want), differ(got, want))
			}
		})
	}
}

func differ(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// Where a text is the same again and again nobody can tell where its notes are. Nothing may be missing, or repeat for
// ever.
func TestALogOfTheSameLineLosesNothing(t *testing.T) {
	for _, line := range []string{"\n", "same\n", "same\r\n", note + "same\n", "\r"} {
		log := strings.Repeat(line, 1_000_000/len(line)) + "last\n"
		e := serve(t, (&raw{bytes: []byte(log)}).ServeHTTP)
		want := strings.ReplaceAll(string(text([]byte(log))), "\r\n", "\n")
		got := whole(t, e)
		if !strings.HasSuffix(got, "last\n") || len(got) < len(want) {
			t.Errorf("%q: %d bytes instead of %d", line, len(got), len(want))
		}
	}
}

func TestALogThatGrowsAndOneAskedPastItsEnd(t *testing.T) {
	l := &raw{bytes: []byte(note + "first\nsec"), running: true}
	e := serve(t, l.ServeHTTP)
	c, err := e.Log(t.Context(), "demo", 1, 0)
	if err != nil || string(c.Text) != "first\n" || !c.More {
		t.Fatalf("%+v, %v", c, err)
	}
	if end, err := e.Log(t.Context(), "demo", 1, c.Next); err != nil || len(end.Text) > 0 || end.Next != c.Next ||
		!end.More {
		t.Errorf("at the end: %+v, %v", end, err)
	}
	l.bytes, l.running = append(l.bytes, "ond\n"...), false
	if c, err = e.Log(t.Context(), "demo", 1, c.Next); err != nil || string(c.Text) != "second\n" || c.More {
		t.Errorf("then: %+v, %v", c, err)
	}
	for _, past := range []int64{c.Next, c.Next + 1, 1 << 50} {
		if p, err := e.Log(t.Context(), "demo", 1, past); err != nil || len(p.Text) > 0 || p.More || p.Next != c.Next {
			t.Errorf("from %d of %d: %+v, %v", past, c.Next, p, err)
		}
	}
	if c, err := e.Log(t.Context(), "demo", 1, -5); err != nil || string(c.Text) != "first\nsecond\n" {
		t.Errorf("from -5: %+v, %v", c, err)
	}
}

// Jenkins sends all 50 MB; what is not wanted is not read.
func TestALongLogTakesLittleMemory(t *testing.T) {
	l := &raw{bytes: bytes.Repeat([]byte("0123456789abcdef0123456789abcdef0123456789abcdef\n"), 1<<20)}
	body := text(l.bytes)
	e := serve(t, func(w http.ResponseWriter, r *http.Request) {
		start, _ := strconv.Atoi(r.FormValue("start"))
		w.Header().Set("X-Text-Size", strconv.Itoa(len(l.bytes)))
		w.Write(body[start+start/49:])
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range 8 {
		if _, err := e.Log(t.Context(), "demo", 1, int64(i)*300_000); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / 8; each > 8*engine.MaxChunk {
		t.Errorf("a chunk takes %d kB", each>>10)
	}
}

func FuzzLog(f *testing.F) {
	f.Add([]byte("line\r\n"), uint16(9000), true)
	f.Add([]byte(note+"x\n"), uint16(5000), false)
	f.Add([]byte("\xf6\xdf\n\r"), uint16(65000), false)
	f.Fuzz(func(t *testing.T, unit []byte, times uint16, numbered bool) {
		if len(unit) > 1000 {
			return
		}
		var b bytes.Buffer
		for i := range int(times) {
			if b.Write(unit); numbered {
				fmt.Fprintf(&b, "%d\n", i)
			}
			if b.Len() > 1<<20 {
				break
			}
		}
		l := &raw{bytes: b.Bytes()}
		got := whole(t, serve(t, l.ServeHTTP))
		want := strings.ReplaceAll(string(text(l.bytes)), "\r\n", "\n")
		if len(got) < len(want) || numbered && len(unit) < 200 && got != want {
			t.Errorf("%d bytes instead of %d", len(got), len(want))
		}
	})
}
