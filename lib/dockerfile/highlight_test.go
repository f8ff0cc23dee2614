package dockerfile

import (
	"fmt"
	"strings"
	"testing"
)

// marked shows spans as class{text}.
func marked(spans []Span) string {
	var w strings.Builder
	for _, s := range spans {
		if s.Class == "" {
			w.WriteString(s.Text)
		} else {
			fmt.Fprintf(&w, "%s{%s}", s.Class, s.Text)
		}
	}
	return w.String()
}

func TestHighlight(t *testing.T) {
	text := `# syntax=docker/dockerfile:1
FROM --platform=$TARGETPLATFORM debian:bookworm AS build

ENV A="x $B y" C='no $D' E=\$F
RUN apt-get update && \
    # in between
    echo "$HOME"
RUN <<EOF cat
# body $X
EOF
COPY --chown=app --from=build <<-"A" <<B /x/
	one
	A
two
B
onbuild run echo
CMD ["sh", "-c"]
`
	want := []string{
		"c{# syntax=docker/dockerfile:1}", "k{FROM} f{--platform}=v{$TARGETPLATFORM} debian:bookworm k{AS} build", "",
		`k{ENV} A=s{"x }v{$B}s{ y"} C=s{'no $D'} E=\$F`, `k{RUN} apt-get update && \`, "c{    # in between}",
		`    echo s{"}v{$HOME}s{"}`,
		"k{RUN} <<EOF cat", "h{# body $X}", "h{EOF}", `k{COPY} f{--chown}=app f{--from}=build <<-s{"A"} <<B /x/`, "h{\tone}",
		"h{\tA}", "h{two}", "h{B}",
		"k{onbuild} k{run} echo", `k{CMD} [s{"sh"}, s{"-c"}]`,
	}
	got := Highlight([]byte(text))
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d", len(got), len(want))
	}
	for i, w := range want {
		if g := marked(got[i]); g != w {
			t.Errorf("line %d:\n %s\nwant\n %s", i+1, g, w)
		}
	}
}

// FuzzHighlight: nothing is lost or added.
func FuzzHighlight(f *testing.F) {
	f.Add("FROM a\nRUN <<A b\nc\nA\nENV a=\"$b")
	f.Add("# escape=`\nRUN a `\n \"b`\" '`")
	f.Fuzz(func(t *testing.T, text string) {
		var lines []string
		for _, spans := range Highlight([]byte(text)) {
			line := ""
			for _, s := range spans {
				if s.Text == "" {
					t.Fatal("an empty span")
				}
				line += s.Text
			}
			lines = append(lines, line)
		}
		want := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		for i := range want {
			want[i] = strings.TrimSuffix(want[i], "\r")
		}
		if strings.TrimSuffix(text, "\n") == "" {
			want = nil
		}
		if strings.Join(lines, "\n") != strings.Join(want, "\n") {
			t.Fatalf("%q became %q", text, lines)
		}
	})
}
