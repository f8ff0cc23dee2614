package dockerfile

// Span is a piece of a line with the class that its colour comes from:
// "k" keyword, "s" string, "c" comment, "v" variable, "f" flag, "h" heredoc, "" the rest.
type Span struct{ Class, Text string }

// Highlight cuts a Dockerfile into lines and these into spans. The texts of a line's spans joined are the line, without its end.
func Highlight(dockerfile []byte) [][]Span {
	var out [][]Span
	start := 0
	for i, b := range dockerfile {
		if b == '\n' {
			out = append(out, []Span{{"", string(dockerfile[start:i])}})
			start = i + 1
		}
	}
	if start < len(dockerfile) {
		out = append(out, []Span{{"", string(dockerfile[start:])}})
	}
	return out
}
