package dockerfile

import (
	"fmt"
	"strings"
	"testing"
)

// TestBounded: no Dockerfile of 64 KiB makes a huge blend or keeps a request busy: without bounds, each of these would take
// minutes, or all memory, and the test would never end.
func TestBounded(t *testing.T) {
	repeat := func(line string) string {
		return "FROM debian:bookworm\n" + strings.Repeat(line, (64<<10-30)/len(line))
	}
	numbered := func(format string) string {
		var w strings.Builder
		w.WriteString("FROM debian:bookworm AS s0\n")
		for i := 0; w.Len() < 64<<10-100; i++ {
			fmt.Fprintf(&w, format, i)
		}
		return w.String()
	}
	c := newContext()
	for i := range 10000 {
		c.add(fmt.Sprintf("d/%d", i), &entry{kind: file}, Limits{})
	}
	c.finish()
	for name, text := range map[string]string{
		"doubling":   "FROM debian:bookworm\nENV A=xxxxxxxx\n" + strings.Repeat("ENV A=$A$A\n", 5000),
		"many uses":  "FROM debian:bookworm\nENV A=" + strings.Repeat("x", 30000) + "\nENV B=" + strings.Repeat("$A", 15000) + "\n",
		"long words": "FROM debian:bookworm\nENV A=" + strings.Repeat("x", 20000) + "\n" + strings.Repeat("WORKDIR $A\n", 4000),
		"ports":      repeat("EXPOSE 0-65535\n"),
		"globs":      repeat("COPY d/?* /x/\n"),
		"copies":     repeat("COPY . /x/\n"),
		"variables":  numbered("ENV a%d=1\nRUN x\n"),
		"unknown":    numbered("ENV abcdef%d=$b\n"),
		"stages":     strings.Repeat("FROM debian\n", 5000),
		"chains":     numbered("FROM debian AS s%d\n"),
		"nested":     "FROM debian:bookworm\nENV A=" + strings.Repeat("${A:-", 10000) + strings.Repeat("}", 10000) + "\n",
		"heredocs":   repeat("RUN <<a\na\n"),
		"spaces":     repeat(" \\\n"),
		"patterns":   "FROM debian:bookworm\nENV A=" + strings.Repeat("a", 20000) + "\nENV B=${A//" + strings.Repeat("*a", 5000) + "b/x}\n",
	} {
		b, findings := Translate(Source{Dockerfile: []byte(text), Context: c})
		if b != nil && len(b.Text) > 40<<20 {
			t.Errorf("%s: a blend of %d bytes", name, len(b.Text))
		}
		if len(findings) > 10000 {
			t.Errorf("%s: %d findings", name, len(findings))
		}
	}
}
