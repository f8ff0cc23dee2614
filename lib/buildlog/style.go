package buildlog

import (
	"slices"
	"strconv"
	"strings"
)

// style is what a terminal's text looks like at some place (ECMA-48, SGR). The zero value is plain.
type style struct {
	fg, bg string // as parameters: "31", "38;5;208"; empty: the usual one
	on     [10]bool
}

// parameters are those that lead to a style from a plain one.
func (s style) parameters() string {
	var all []string
	for n, on := range s.on {
		if on {
			all = append(all, strconv.Itoa(n))
		}
	}
	for _, colour := range []string{s.fg, s.bg} {
		if colour != "" {
			all = append(all, colour)
		}
	}
	return strings.Join(all, ";")
}

// styleOf is what parameters lead to; what is none of them is left out.
func styleOf(parameters string) (s style) {
	s.apply(parameters)
	return s
}

// apply changes a style by the parameters of a sequence. Colours are separated by ; as xterm does, or : as ITU-T T.416
// does.
func (s *style) apply(parameters string) {
	list := strings.FieldsFunc(strings.ReplaceAll(parameters, "::", ":"),
		func(r rune) bool { return r == ';' || r == ':' })
	if len(list) == 0 || strings.HasPrefix(parameters, ";") {
		*s = style{}
	}
	for len(list) > 0 {
		n := number(list[0])
		list = list[1:]
		switch {
		case n == 0:
			*s = style{}
		case n <= 5 || n == 9:
			s.on[n] = true
		case n == 22:
			s.on[1], s.on[2] = false, false
		case n >= 23 && n <= 29:
			s.on[n-20] = false
		case n == 38:
			s.fg, list = colour(list, 30, s.fg)
		case n == 48:
			s.bg, list = colour(list, 40, s.bg)
		case n == 39:
			s.fg = ""
		case n == 49:
			s.bg = ""
		case n >= 30 && n < 38 || n >= 90 && n < 98:
			s.fg = strconv.Itoa(n)
		case n >= 40 && n < 48 || n >= 100 && n < 108:
			s.bg = strconv.Itoa(n)
		}
	}
}

// number is a parameter's; one that is none, or too large, means nothing.
func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 255 {
		return 1 << 10
	}
	return n
}

// colour reads "5;N" or "2;R;G;B", and returns it as one of the 256 that the style sheet has.
func colour(list []string, base int, old string) (now string, rest []string) {
	n := -1
	switch {
	case len(list) >= 2 && list[0] == "5":
		n, list = number(list[1]), list[2:]
	case len(list) >= 4 && list[0] == "2":
		n, list = nearest(number(list[1]), number(list[2]), number(list[3])), list[4:]
	default:
		return old, nil
	}
	switch {
	case n < 0 || n > 255:
		return old, list
	case n < 8:
		return strconv.Itoa(base + n), list
	case n < 16:
		return strconv.Itoa(base + 60 + n - 8), list
	}
	return strconv.Itoa(base+8) + ";5;" + strconv.Itoa(n), list
}

// levels are those that the cube of xterm's 216 colours has of red, green and blue.
var levels = []int{0, 95, 135, 175, 215, 255}

// nearest is the number of xterm's colour that looks most like this one: of the cube, or a grey.
func nearest(r, g, b int) int {
	if max(r, g, b) > 255 {
		return -1
	}
	level := func(v int) int {
		at, _ := slices.BinarySearch(levels, v)
		if at == len(levels) || at > 0 && v-levels[at-1] < levels[at]-v {
			at--
		}
		return at
	}
	apart := func(x, y, z int) int { return (r-x)*(r-x) + (g-y)*(g-y) + (b-z)*(b-z) }
	i, j, k := level(r), level(g), level(b)
	grey := min(23, max(0, ((r+g+b)/3-3)/10))
	if v := 8 + 10*grey; apart(v, v, v) < apart(levels[i], levels[j], levels[k]) {
		return 232 + grey
	}
	return 16 + 36*i + 6*j + k
}

// dress gives a line the style that it begins in, and writes each of its sequences so that it says all that holds from
// there on. The style goes on to the next line.
func (s *style) dress(line string) string {
	var b strings.Builder
	if *s != (style{}) {
		b.WriteString("\x1b[" + s.parameters() + "m")
	}
	for {
		at := strings.Index(line, "\x1b[")
		if at < 0 {
			break
		}
		end := at + 2
		for end < len(line) && (line[end] >= '0' && line[end] <= '9' || line[end] == ';' || line[end] == ':') {
			end++
		}
		b.WriteString(line[:at])
		if end < len(line) && line[end] == 'm' {
			s.apply(line[at+2 : end])
			b.WriteString("\x1b[0m")
			if p := s.parameters(); p != "" {
				b.WriteString("\x1b[" + p + "m")
			}
			end++
		} else {
			b.WriteString(line[at:end])
		}
		line = line[end:]
	}
	b.WriteString(line)
	return b.String()
}
