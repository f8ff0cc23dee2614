package buildlog

import (
	"html"
	"strconv"
	"strings"

	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
	"toaster.do/lib/view"
)

// View says how a window is to be shown.
type View struct {
	Lang   string       // the language, as view.View has it
	Job    string       // the job's path, with the site's prefix
	State  engine.State // the build's
	Last   *engine.Step // the step that the log's end belongs to, if that is known
	Closed bool         // sections are folded, but for the one that people look for
	Style  string       // that the window's text begins in, as HTML has returned it for the window before
}

// section is what one step printed, or what was printed before, between or after steps.
type section struct {
	step      *engine.Step // nil: no step, or its line is not in the window
	title     string
	continued bool // it began before the window
	lines     []Line
}

// HTML renders a window, and returns the style that the next begins in. Where that has data-continued, its first lines
// belong to the last section that is there. A line of the class "unfinished" is shown again with what follows.
func (v View) HTML(w Window) (shown view.HTML, after string) {
	list := v.sections(w)
	var b strings.Builder
	b.Grow(2 * MaxBytes)
	now := styleOf(v.Style)
	for i, s := range list {
		if i > 0 || !s.continued {
			now = style{}
		}
		after = v.section(&b, w, s, &now, i == len(list)-1, len(list))
	}
	if len(list) == 0 {
		after = now.parameters()
	}
	return view.HTML(b.String()), after
}

// sections cuts a window at the lines that begin steps.
func (v View) sections(w Window) []section {
	var list []section
	now := section{title: v.text("Preparation"), continued: w.From > 0}
	put := func(next section) {
		if len(now.lines) > 0 || len(list) > 0 {
			list = append(list, now)
		}
		now = next
	}
	for _, l := range w.Lines {
		switch m := engine.ParseMark(l.Text); m.Kind {
		case engine.StepBegins:
			put(section{step: &m.Step, title: v.text("Step %d of %d", m.Step.Number, m.Step.Of)})
		case engine.PackingBegins:
			put(section{title: v.text("Packing the image")})
		case engine.PhaseBegins, engine.WasCached, engine.ScriptReason: // the page shows them elsewhere
			if m.Phase == "check" {
				put(section{title: v.text("Boot test")})
			}
			continue
		}
		now.lines = append(now.lines, l)
	}
	if len(w.Unfinished) > 0 && !engine.IsMark(w.Unfinished) {
		now.lines = append(now.lines, Line{Offset: -1, Text: w.Unfinished})
	}
	put(section{})
	if len(list) > 0 && list[0].continued {
		list[0].title = v.began(list)
	}
	return list
}

// began names a section that began before the window.
func (v View) began(list []section) string {
	step := v.Last
	if len(list) > 1 {
		step = list[1].step
		if step != nil && step.Number == 1 {
			return v.text("Preparation, continued")
		}
		if step != nil {
			return v.text("Step %d of %d, continued", step.Number-1, step.Of)
		}
	} else if step != nil {
		return v.text("Step %d of %d, continued", step.Number, step.Of)
	}
	return v.text("Continued")
}

func (v View) section(b *strings.Builder, w Window, s section, now *style, last bool, of int) (after string) {
	failed := last && v.State == engine.Failed && !w.More
	open := !v.Closed || of == 1 || last && v.State != engine.Succeeded
	b.WriteString(`<details class="part`)
	if failed {
		b.WriteString(" failed")
	}
	b.WriteByte('"')
	if s.continued {
		b.WriteString(" data-continued")
	}
	if open {
		b.WriteString(" open")
	}
	b.WriteString("><summary><h3>" + s.title)
	lines := s.lines
	if s.step != nil {
		b.WriteString(` <code>` + html.EscapeString(view.Clean(s.step.Instruction)) + `</code>`)
		lines = lines[1:]
	}
	if failed {
		b.WriteString(` <span class="state failed">` + v.text("failed") + `</span>`)
	}
	b.WriteString("</h3></summary>")
	if s.step != nil {
		v.links(b, w, s)
	}
	b.WriteString("<pre>")
	after = now.parameters()
	for _, l := range lines {
		writeLine(b, w, l, now)
		if l.Offset >= 0 {
			after = now.parameters()
		}
	}
	b.WriteString("</pre></details>\n")
	return after
}

// links are a step's own address, and that of its line in the Dockerfile.
func (v View) links(b *strings.Builder, w Window, s section) {
	id := strconv.FormatInt(s.lines[0].Offset, 10)
	b.WriteString(`<p class="links" id="L` + id + `"><a href="` + address(w,
		id) + `">` + v.text("Link to this step") + `</a>`)
	if s.step.Line > 0 {
		line := strconv.Itoa(s.step.Line)
		b.WriteString(` · <a href="` + html.EscapeString(v.Job) + `#L` + line + `">` + v.text("Line %d of the Dockerfile",
			s.step.Line) + `</a>`)
	}
	b.WriteString("</p>")
}

func writeLine(b *strings.Builder, w Window, l Line, now *style) {
	if l.Offset < 0 {
		b.WriteString(`<span class="l unfinished">` + lineHTML(l.Text, now) + "\n</span>")
		return
	}
	id := strconv.FormatInt(l.Offset, 10)
	b.WriteString(`<span class="l`)
	if engine.ParseMark(l.Text).Kind == engine.ScriptFailed {
		b.WriteString(" bad")
	}
	b.WriteString(`" id="L` + id + `"><a href="` + address(w, id) + `">#</a>` + lineHTML(l.Text, now) + "\n</span>")
}

// address leads to a line in the window that it stands in: which line that is stays the same when the log grows.
func address(w Window, id string) string {
	return "?from=" + strconv.FormatInt(w.From, 10) + "#L" + id
}

// text is a text of ours in the reader's language, as HTML.
func (v View) text(key i18n.Key, values ...any) string {
	return html.EscapeString(view.Text(v.Lang, i18n.T(key, values...)))
}
