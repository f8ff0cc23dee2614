package buildlog

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"

	"toaster.do/lib/engine"
	"toaster.do/static"
)

// written is a reader of a log that is complete, or still grows, and gives at most limit bytes at once.
func written(log string, more bool) Read {
	return func(offset int64) (engine.Chunk, error) {
		offset = min(offset, int64(len(log)))
		text := log[offset:]
		if len(text) > engine.MaxChunk {
			text = text[:engine.MaxChunk]
		}
		next := offset + int64(len(text))
		return engine.Chunk{Text: []byte(text), Next: next, More: more || next < int64(len(log))}, nil
	}
}

func (w Window) text() string {
	var b strings.Builder
	for _, l := range w.Lines {
		b.Write(l.Text)
	}
	return b.String()
}

func numbered(lines int) string {
	var b strings.Builder
	for i := range lines {
		fmt.Fprintf(&b, "line %d of a log that is long\n", i)
	}
	return b.String()
}

func TestAShortLogIsOneWindow(t *testing.T) {
	log := "a\nb\nno end"
	for name, w := range windows(t, written(log, false), 0) {
		if w.text() != log || w.From != 0 || w.Next != 10 || w.More || w.Lines[1].Offset != 2 {
			t.Errorf("%s: %+v", name, w)
		}
	}
	// The last line may be half of one as long as somebody writes.
	for name, w := range windows(t, written(log, true), 0) {
		if w.text() != "a\nb\n" || w.Next != 4 || !w.More {
			t.Errorf("%s: %+v", name, w)
		}
	}
	for name, w := range windows(t, written("", true), 0) {
		if w.Lines != nil || w.From != 0 || w.Next != 0 || !w.More {
			t.Errorf("%s: %+v", name, w)
		}
	}
}

func windows(t *testing.T, read Read, from int64) map[string]Window {
	t.Helper()
	a, err := From(read, from)
	b, err2 := End(read)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	return map[string]Window{"From": a, "End": b}
}

// TestALongLogIsReadFromWindowToWindow goes through logs of many kinds in both directions: nothing is left out, nothing
// comes twice, no window is larger than it may be, and each line has the address of its place.
func TestALongLogIsReadFromWindowToWindow(t *testing.T) {
	logs := map[string]string{
		"lines":               numbered(20000),
		"empty lines":         strings.Repeat("\n", 5000),
		"one line":            strings.Repeat("x", 5*MaxBytes/2),
		"long lines":          strings.Repeat(strings.Repeat("y", MaxBytes+17)+"\n", 3),
		"lines of one window": strings.Repeat(strings.Repeat("z", MaxBytes-1)+"\n", 3),
		"without an end":      numbered(3000) + "the end",
		"no UTF-8":            strings.Repeat("\xff\xfe \uFFFD\n", 40000),
	}
	for name, log := range logs {
		t.Run(name, func(t *testing.T) {
			read := written(log, false)
			var forth strings.Builder
			for w := (Window{More: true}); w.More; {
				var err error
				if w, err = From(read, w.Next); err != nil || len(w.Lines) == 0 {
					t.Fatal(w.From, w.Next, err)
				}
				check(t, w, log)
				forth.WriteString(w.text())
			}
			if forth.String() != log {
				t.Errorf("%d bytes of %d", forth.Len(), len(log))
			}
			w, err := End(read)
			back := w.text()
			for err == nil && w.From > 0 {
				check(t, w, log)
				before := w.From
				if w, err = Until(read, w.From); w.From >= before || w.Next != before {
					t.Fatalf("from %d back to %d–%d", before, w.From, w.Next)
				}
				back = w.text() + back
			}
			if back != log || err != nil {
				t.Errorf("%d bytes of %d, %v", len(back), len(log), err)
			}
		})
	}
}

func check(t *testing.T, w Window, log string) {
	t.Helper()
	if len(w.Lines) > MaxLines || len(w.text()) > MaxBytes {
		t.Fatalf("%d lines, %d bytes", len(w.Lines), len(w.text()))
	}
	for _, l := range w.Lines {
		if !strings.HasPrefix(log[l.Offset:], string(l.Text)) {
			t.Fatalf("%d is not where %q begins", l.Offset, l.Text)
		}
	}
}

// An engine may keep another text than it gives: it replaces bytes that are no UTF-8, and leaves its own notes out.
func TestALogThatTheEngineChangesHasNoGaps(t *testing.T) {
	var raw strings.Builder
	for i := range 9000 {
		note := ""
		if i%700 == 0 {
			note = "\x02a note of the engine's\x03"
		}
		fmt.Fprintf(&raw, "%sline %d \xff\xfe\n", note, i)
	}
	notes := regexp.MustCompile("\x02[^\x03]*\x03")
	read := func(offset int64) (engine.Chunk, error) {
		c, err := written(raw.String(), false)(offset)
		c.Text = []byte(strings.ToValidUTF8(notes.ReplaceAllString(string(c.Text), ""), "\uFFFD"))
		c.Text = []byte(strings.ReplaceAll(string(c.Text), "\uFFFD", "\uFFFD\uFFFD"))
		return c, err
	}
	seen := map[string]bool{}
	note := func(w Window) {
		for _, l := range w.Lines {
			seen[strings.TrimSpace(strings.Trim(string(l.Text), "\uFFFD\n "))] = true
		}
	}
	w, err := End(read)
	note(w)
	for n := 0; err == nil && w.From > 0 && n < 1000; n++ {
		w, err = Until(read, w.From)
		note(w)
	}
	missing := 0
	for i := range 9000 {
		if !seen[fmt.Sprintf("line %d", i)] {
			missing++
		}
	}
	if err != nil || missing > 0 {
		t.Errorf("%d lines are missing, %v", missing, err)
	}
}

func TestLinesKeepTheirColours(t *testing.T) {
	for in, want := range map[string]string{
		"plain\tand <b>":                        "plain\tand &lt;b&gt;",
		"\x1b[31mred\x1b[0m plain\n":            `<span class="term-fg31">red</span> plain`,
		"\x1b[1;32mbold":                        `<span class="term-fg32 term-fg1">bold</span>`,
		"\x1b[41;97;4m<&>\x1b[m":                `<span class="term-fgi97 term-bg41 term-fg4">&lt;&amp;&gt;</span>`,
		"10%\r20%\r100%\r\n":                    "100%",
		"50% of it\r\x1b[Kdone":                 "done",
		"ab\bc":                                 "ac",
		"\x1b]0;title\x07x\x1b[2J\x1b[3Ay":      "xy",
		"\x1b]8;;javascript:a\x07l\x1b]8;;\x07": "l",
		"\x1b]1337;File=inline=1:AAAA\x07p":     "p",
		"\x1b]1339;url=http://a;content=b\x07q": "q",
		"\x1b_bk;t=123\x07r":                    "␛_bk;t=123␇r",
		"\x1b[38:2::255:135:0ms":                `<span class="term-fgx208">s</span>`,
		"\x1b[38;2;1;2;3;48;2;255;255;255mt":    `<span class="term-fgx16 term-bgx231">t</span>`,
		"\x1b[38;5;9mu\x1b[48:5:240mv":          `<span class="term-fgi91">u</span><span class="term-fgi91 term-bgx240">v</span>`,
		"\x1b[38;5;999mw\x1b[38;2;1mx\x1b[38my": "wxy",
		"\x1b[1;31mz\x1b[22;39m!":               `<span class="term-fg31 term-fg1">z</span>!`,
		"\x1b[0m":                               "",
		"\x1b[31mumlaut ä \u202e\xff\x1b[0m":    `<span class="term-fg31">umlaut ä ⟨U+202E⟩�</span>`,
	} {
		if got := lineHTML([]byte(in), new(style)); got != want {
			t.Errorf("%q gives %s, want %s", in, got, want)
		}
	}
}

func TestOnlyTagsOfOursPass(t *testing.T) {
	for s, want := range map[string]bool{
		"":                                    true,
		`a<span class="term-fg1">b</span>c`:   true,
		`<span class="x">`:                    false,
		`</span><span class="x">`:             false,
		`<span class="x" onclick="y"></span>`: false,
		`<img src="data:">`:                   false,
		`<a href="http://a">b</a>`:            false,
		`<`:                                   false,
	} {
		if ours(s) != want {
			t.Errorf("%s: %v", s, !want)
		}
	}
}

// render is a window's HTML alone.
func render(v View, w Window) string {
	shown, _ := v.HTML(w)
	return string(shown)
}

const steps = `toaster: base
TOASTER-STEP 1/2 2 RUN echo <b> "a"
one
TOASTER-STEP 2/2 5 COPY . .
toaster: .: not found
TOASTER-FAILED 2/2 5 exit 1
toaster: failed: line 5 failed
`

func TestALogIsFoldedByStep(t *testing.T) {
	w, _ := End(written(steps, false))
	page := render(View{Job: "/x/jobs/id", State: engine.Failed, Closed: true}, w)
	for _, want := range []string{
		`<details class="part"><summary><h3>Preparation</h3></summary><pre><span class="l" id="L0"><a href="?from=0#L0">#</a>toaster: base` + "\n</span></pre>",
		`<details class="part"><summary><h3>Step 1 of 2 <code>RUN echo &lt;b&gt; &#34;a&#34;</code></h3></summary><p class="links" id="L14"><a href="?from=0#L14">Link to this step</a> · <a href="/x/jobs/id#L2">Line 2 of the Dockerfile</a></p>`,
		`<details class="part failed" open><summary><h3>Step 2 of 2 <code>COPY . .</code> <span class="state failed">failed</span></h3>`,
		`<span class="l bad" id="L`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in %s", want, page)
		}
	}
	if strings.Contains(page, "TOASTER-STEP") || strings.Contains(page, "data-continued") {
		t.Error(page)
	}
	open := render(View{State: engine.Failed}, w)
	if strings.Count(open, " open><summary>") != 3 {
		t.Error("somebody who asked for a part of the log gets it folded: ", open)
	}
	w, _ = End(written(strings.Replace(steps[:strings.Index(steps, "toaster: .:")], "COPY", "COPY",
		1)+"toaster: packing it\n", false))
	good := render(View{State: engine.Succeeded, Closed: true}, w)
	if strings.Contains(good, " open") || !strings.Contains(good, "<h3>Packing the image</h3>") {
		t.Error(good)
	}
}

// What a virtual machine says in its boot check is not what packed it.
func TestTheBootCheckHasASectionOfItsOwn(t *testing.T) {
	log := steps[:strings.Index(steps, "toaster: .:")] +
		"toaster: packing it\npacked\nTOASTER-PHASE check 1700000000.250\nlogin:\n" +
		"TOASTER-PHASE end 1700000001.000\ntoaster: failed: the image does not boot.\n"
	for _, from := range []int{0, strings.Index(log, "packed\n"), strings.Index(log, "TOASTER-PHASE check")} {
		w, err := From(written(log, false), int64(from))
		page := render(View{State: engine.Failed}, w)
		_, check, found := strings.Cut(page, "<h3>Boot test <span")
		if err != nil || !found || !strings.Contains(check, "login:") || strings.Contains(check, "packed") ||
			strings.Contains(page, "TOASTER-") {
			t.Errorf("from %d: %v %s", from, err, page)
		}
	}
}

func TestAWindowWithinAStepSaysWhich(t *testing.T) {
	two := strings.Index(steps, "one\n")
	for _, x := range []struct {
		log   string
		from  int
		last  *engine.Step
		title string
	}{
		{steps, two, nil, "Step 1 of 2, continued"},
		{steps, 3, nil, "Preparation, continued"},
		{steps, strings.Index(steps, "toaster: .:"), nil, "Continued"},
		{steps, strings.Index(steps, "toaster: .:"), &engine.Step{Number: 2, Of: 2}, "Step 2 of 2, continued"},
		{"a\nb\ntoaster: packing x\n", 2, &engine.Step{Number: 2, Of: 2}, "Continued"},
	} {
		w, err := From(written(x.log, false), int64(x.from))
		page := render(View{Last: x.last}, w)
		if err != nil || !strings.HasPrefix(page, `<details class="part" data-continued open><summary><h3>`+x.title+`</h3>`) {
			t.Errorf("from %d: %v %s", x.from, err, page)
		}
	}
}

// What follows a log piece by piece shows the same lines as the page that is loaded again: in the same colours, and
// each unfinished line until it comes whole.
func TestPiecesThatFollowMakeTheWholePage(t *testing.T) {
	lines := regexp.MustCompile(`(?s)<span class="l.*?\n</span>|<summary>.*?</summary>`)
	from := regexp.MustCompile(`\?from=\d+`)
	// Such a part goes with its line: static/follow.js.
	only := regexp.MustCompile(
		`<details class="part"[^>]*><summary><h3>[^<]*</h3></summary><pre><span class="l unfinished">[^\n]*\n</span></pre></details>`)
	log := strings.Replace(steps, "one\n",
		"one \x1b[1;31mred\nstill \x1b[38;2;255;135;0morange\x1b[K\n\n50%\r100%\nmore\n", 1)
	all := func(pages ...string) (found []string) {
		for _, p := range pages {
			for _, l := range lines.FindAllString(only.ReplaceAllString(from.ReplaceAllString(p, "?from="), ""), -1) {
				if !strings.Contains(l, "ontinued</h3>") && !strings.Contains(l, " unfinished") {
					found = append(found, l)
				}
			}
		}
		return found
	}
	whole, _ := From(written(log, false), 0)
	want := strings.Join(all(render(View{}, whole)), "")
	if !strings.Contains(want, `still </span><span class="term-fgx208 term-fg1">orange`) ||
		!strings.Contains(want, `<span class="term-fgx208 term-fg1">more</span>`) {
		t.Fatalf("colours end with their line: %s", want)
	}
	for cut := range len(log) {
		one, _ := From(written(log[:cut], true), 0)
		page, style := View{}.HTML(one)
		two, _ := From(written(log, false), one.Next)
		next := render(View{Style: style}, two)
		if got := strings.Join(all(string(page), next), ""); got != want {
			t.Fatalf("cut at %d: %s, want %s", cut, got, want)
		}
		last := log[strings.LastIndexByte(log[:cut], '\n')+1 : cut]
		if strings.Contains(string(page), `class="l unfinished"`) != (last != "" &&
			!strings.HasPrefix(last, "TOASTER-")) {
			t.Fatalf("cut at %d, after %q: %s", cut, last, page)
		}
	}
}

// An unfinished line is shown as it is at the moment: dots, a part of a bar, a question.
func TestAnUnfinishedLineIsShown(t *testing.T) {
	for last, want := range map[string]string{
		"....":               "....",
		"10%\r50%\r":         "50%",
		"Continue? [y/N] ":   "Continue? [y/N] ",
		"\x1b[32mok\x1b[0m ": `<span class="term-fg32">ok</span>`,
		"<b>":                "&lt;b&gt;",
	} {
		for name, w := range windows(t, written("line\n"+last, true), 0) {
			if page := render(View{State: engine.Running}, w); !strings.Contains(page,
				"\n</span><span class=\"l unfinished\">"+want+"\n</span></pre>") || w.Next != 5 {
				t.Errorf("%s: %q gives %s", name, last, page)
			}
		}
	}
}

// TestTheStyleSheetHasEachColour: what terminal-to-html calls a colour is one that the page knows.
func TestTheStyleSheetHasEachColour(t *testing.T) {
	sheet, err := static.Files.ReadFile("term.css")
	if err != nil {
		t.Fatal(err)
	}
	for n := 16; n < 256; n++ {
		r, g, b := levels[max(0, n-16)/36%6], levels[(n-16)/6%6], levels[(n-16)%6]
		if n >= 232 {
			r = 8 + 10*(n-232)
			g, b = r, r
		}
		if want := fmt.Sprintf(".term-fgx%d { --f: #%02x%02x%02x } .term-bgx%d { --b: #%02x%02x%02x }", n, r, g, b, n,
			r, g, b); !strings.Contains(string(sheet), want) {
			t.Errorf("it lacks %s", want)
		}
		if got := nearest(r, g, b); n < 232 && got != n && (r != g || g != b) {
			t.Errorf("colour %d is taken for %d", n, got)
		}
	}
}

var tags = regexp.MustCompile(
	`^(?:</?(?:pre|summary|h3|code|details|p|span)>|<details class="part(?: failed)?"(?: data-continued)?(?: open)?>|<span class="(?:l|l bad|l unfinished|state failed|term-[a-z0-9 -]+)"(?: id="L\d+")?>|<p class="links" id="L\d+">|<a href="(?:\?from=\d+#L\d+|/jobs/id#L\d+)">|</a>)$`)

// FuzzHTML shows hostile logs: no tag comes out but those that are ours.
func FuzzHTML(f *testing.F) {
	f.Add(steps)
	f.Add("\x1b[31m<script>alert(1)</script>\r\x1b]8;;javascript:x\x07\"onload='\x1b[0m\n")
	f.Add("TOASTER-STEP 1/1 1 <img src=x " +
		"onerror=\"y\">\n\x1b]1338;url=http://a;alt=b\x07\x1b_bk;t=1\x07\x1b[38;5;1m\xff\u202e\b\b")
	anyTag := regexp.MustCompile(`<[^>]*>?`)
	f.Fuzz(func(t *testing.T, log string) {
		for _, more := range []bool{false, true} {
			w, err := End(written(log, more))
			if err != nil {
				t.Fatal(err)
			}
			got := render(View{Job: "/jobs/id", State: engine.Failed}, w)
			for _, tag := range anyTag.FindAllString(got, -1) {
				if !tags.MatchString(tag) {
					t.Fatalf("%q gives the tag %s", log, tag)
				}
			}
			text := html.UnescapeString(anyTag.ReplaceAllString(got, ""))
			for _, r := range text {
				if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r <= 0x9f || r >= 0x202a && r <= 0x202e {
					t.Fatalf("%q gives the character %U", log, r)
				}
			}
		}
	})
}
