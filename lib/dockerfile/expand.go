package dockerfile

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// lexer replaces variables in words as BuildKit's shell.Lex does, with which a fuzz test compares it. That one bounds
// neither the work of its patterns nor the length of what they make; this one counts both before it begins.
type lexer struct {
	escape rune
	quotes bool // quotes are removed, and protect what is between them
}

// expansion is a word after its variables were replaced.
type expansion struct {
	Result             string
	Words              []string // the result, split at white space that is not quoted
	Matched, Unmatched map[string]struct{}
}

// longestWord is what Linux takes as one argument or variable of a program.
const longestWord = 128 << 10

var (
	errTooLong = errors.New("the text is longer than 128 KiB once its variables are replaced")
	errTooSlow = errors.New("this takes too long")
)

// expand replaces the variables of a word, and splits it into words if that is wanted.
func (l lexer) expand(word string, vars *env, split bool, b *budget) (expansion, error) {
	if len(word) > longestWord {
		return expansion{}, errTooLong
	}
	x := &expander{lexer: l, text: strings.TrimPrefix(word, "\ufeff"), vars: vars, budget: b, splits: split}
	text, err := x.until(eof, false, false)
	if err != nil {
		err = fmt.Errorf("failed to process %q: %w", word, err)
	}
	if x.word.Len() > 0 {
		x.words = append(x.words, x.word.String())
	}
	return expansion{text, x.words, x.matched, x.unmatched}, err
}

const eof = -1

// expander is one word on its way.
type expander struct {
	lexer
	*budget
	text               string
	at                 int
	vars               *env
	raw                bool // escapes are kept
	depth              int  // in how many ${…} it is
	matched, unmatched map[string]struct{}

	splits bool
	words  []string
	word   strings.Builder // the one that is being split off
	inWord bool
}

func (x *expander) peek() rune {
	r, _ := x.decode()
	return r
}

func (x *expander) next() rune {
	r, n := x.decode()
	x.at += n
	return r
}

func (x *expander) decode() (rune, int) {
	if x.at == len(x.text) {
		return eof, 0
	}
	return utf8.DecodeRuneInString(x.text[x.at:])
}

// split puts text that was not quoted to the words.
func (x *expander) split(text string) {
	if x.depth > 0 || !x.splits || !x.spend(len(text)/4) {
		return
	}
	for _, r := range text {
		switch space := unicode.IsSpace(r); {
		case !space:
			x.word.WriteRune(r)
			x.inWord = true
		case x.inWord && x.word.Len() > 0:
			x.words = append(x.words, x.word.String())
			x.word.Reset()
			x.inWord = false
		}
	}
}

func (x *expander) join(text string) {
	if x.depth == 0 && x.splits {
		x.word.WriteString(text)
		x.inWord = true
	}
}

// until reads up to a rune. With raw, escapes stay; in a pattern, quoted ones are doubled.
func (x *expander) until(stop rune, raw, pattern bool) (string, error) {
	defer func(before bool) { x.raw = before }(x.raw)
	x.raw = raw
	if stop != eof {
		x.depth++
		x.word.Reset() // as BuildKit has one buffer for all levels
		defer func() { x.depth-- }()
	}
	var out strings.Builder
	for r := x.peek(); r != eof; r = x.peek() {
		if r == stop {
			x.next()
			return out.String(), nil
		}
		text, err := x.part(r, pattern)
		if err != nil {
			return "", err
		}
		out.WriteString(text)
		if out.Len() > longestWord {
			return "", errTooLong
		}
		if !x.spend(1 + len(text)/16) {
			return "", errTooSlow
		}
	}
	if stop != eof {
		return "", fmt.Errorf("unexpected end of statement while looking for matching %c", stop)
	}
	return out.String(), nil
}

// part reads what a rune begins.
func (x *expander) part(r rune, pattern bool) (string, error) {
	var text string
	var err error
	switch {
	case r == '$':
		text, err = x.dollar()
		x.split(text)
	case r == '<':
		text = x.heredoc()
		x.join(text)
	case r == '\'' && x.quotes:
		text, err = x.single(pattern)
		x.join(text)
	case r == '"' && x.quotes:
		text, err = x.double()
		x.join(text)
	case r == x.escape:
		x.next()
		if x.raw {
			text = string(r)
		}
		if r = x.next(); r != eof {
			text += string(r)
		}
		if text != "" {
			x.join(text)
		}
	default:
		start := x.at
		for r != eof && r != '$' && r != '<' && r != x.escape &&
			(r != '\'' && r != '"' || !x.quotes) && (x.depth == 0 || r != '}' && r != '/') {
			x.next()
			r = x.peek()
		}
		if x.at == start { // } or /, which end nothing here
			x.next()
		}
		text = x.text[start:x.at]
		x.split(text)
	}
	return text, err
}

func (x *expander) single(pattern bool) (string, error) {
	var out strings.Builder
	x.next()
	for {
		switch r := x.next(); {
		case r == eof:
			return "", errors.New("unexpected end of statement while looking for matching single-quote")
		case r == '\'':
			return out.String(), nil
		case pattern && r == x.escape:
			out.WriteRune(r)
			fallthrough
		default:
			out.WriteRune(r)
		}
	}
}

func (x *expander) double() (string, error) {
	var out strings.Builder
	x.next()
	for {
		switch r := x.peek(); r {
		case eof:
			return "", errors.New("unexpected end of statement while looking for matching double-quote")
		case '"':
			x.next()
			return out.String(), nil
		case '$':
			value, err := x.dollar()
			if err != nil {
				return "", err
			}
			if out.WriteString(value); out.Len() > longestWord {
				return "", errTooLong
			}
			if !x.spend(1 + len(value)/16) {
				return "", errTooSlow
			}
		default:
			x.next()
			if r == x.escape {
				switch x.peek() {
				case eof:
					continue
				case '"', '$', x.escape:
					if x.raw {
						out.WriteRune(r)
					}
					r = x.next()
				default:
					if x.raw {
						out.WriteRune(r)
					}
				}
			}
			out.WriteRune(r)
		}
	}
}

func (x *expander) heredoc() string {
	x.next()
	if x.peek() != '<' {
		return "<"
	}
	start := x.at
	for x.next(); x.peek() == '\t' || x.peek() == '\r' || x.peek() == ' '; x.next() {
	}
	return "<" + x.text[start:x.at]
}

var errSubstitution = errors.New("syntax error: bad substitution")

// dollar reads $name or ${…}.
func (x *expander) dollar() (string, error) {
	x.next()
	if x.peek() != '{' {
		name := x.name()
		if name == "" {
			return "$", nil
		}
		value, _ := x.get(name)
		return value, nil
	}
	x.next()
	switch x.peek() {
	case eof:
		return "", errors.New("syntax error: missing '}'")
	case '{', '}', ':':
		return "", errSubstitution
	}
	name := x.name()
	switch modifier := x.next(); modifier {
	case '}':
		value, _ := x.get(name)
		return value, nil
	case ':':
		after := x.next()
		if after == '#' || after == '%' {
			return "", fmt.Errorf("unsupported modifier (:%c) in substitution", after)
		}
		return x.modified(name, ":"+string(after), after, true)
	case '+', '-', '?', '#', '%':
		return x.modified(name, string(modifier), modifier, false)
	case '/':
		return x.substituted(name)
	default:
		return "", fmt.Errorf("unsupported modifier (%c) in substitution", modifier)
	}
}

// operand reads up to a rune that ends a part of ${…}.
func (x *expander) operand(stop rune, raw, pattern bool, missing string) (string, error) {
	word, err := x.until(stop, raw, pattern)
	if err != nil && x.peek() == eof && err != errTooLong && err != errTooSlow {
		err = errors.New("syntax error: missing " + missing)
	}
	return word, err
}

// name reads the name of a variable, a number, or one of the shell's own such as $@; it is empty where there is none.
func (x *expander) name() string {
	start := x.at
	switch r := x.peek(); {
	case unicode.IsDigit(r):
		for unicode.IsDigit(x.peek()) {
			x.next()
		}
	case r != eof && strings.ContainsRune("@*#?-$!", r):
		x.next()
	default:
		for r := x.peek(); unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_'; r = x.peek() {
			x.next()
		}
	}
	return x.text[start:x.at]
}

func (x *expander) get(name string) (string, bool) {
	value, ok := x.vars.Get(name)
	list := &x.unmatched
	if ok {
		list = &x.matched
	}
	if *list == nil {
		*list = map[string]struct{}{}
	}
	(*list)[name] = struct{}{}
	return value, ok
}
