package dockerfile

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// modified is ${name-word} and the like; with a colon, an empty value is as none.
func (x *expander) modified(name, modifier string, kind rune, colon bool) (string, error) {
	pattern := kind == '#' || kind == '%'
	word, err := x.operand('}', pattern, pattern, "'}'")
	if err != nil {
		return "", err
	}
	value, set := x.get(name)
	missing := !set || colon && value == ""
	switch {
	case pattern:
		return x.trimmed(value, word, kind)
	case kind == '-' && missing, kind == '+' && !missing:
		return word, nil
	case kind == '+':
		return "", nil
	case kind == '?' && missing:
		if word == "" && !set {
			word = "is not allowed to be unset"
		} else if word == "" {
			word = "is not allowed to be empty"
		}
		return "", fmt.Errorf("%s: %s", name, word)
	case kind == '-', kind == '?':
		return value, nil
	}
	return "", fmt.Errorf("unsupported modifier (%s) in substitution", modifier)
}

// trimmed takes a pattern away from the front (#) or the end (%); given twice, as much as it takes.
func (x *expander) trimmed(value, pattern string, kind rune) (string, error) {
	rest, greedy := strings.CutPrefix(pattern, string(kind))
	pattern = rest
	if kind == '%' {
		pattern, value = reversedPattern(pattern), reversed(value)
	}
	re, err := x.compile(pattern, value, "^", greedy)
	if err != nil {
		return "", err
	}
	if at := re.FindStringIndex(value); at != nil {
		value = value[at[1]:]
	}
	if kind == '%' {
		value = reversed(value)
	}
	return value, nil
}

// substituted is ${name/pattern/replacement}, and ${name//pattern/replacement} for all matches.
func (x *expander) substituted(name string) (string, error) {
	all := x.peek() == '/'
	if all {
		x.next()
	}
	pattern, err := x.operand('/', true, true, "'/' in ${}")
	if err != nil {
		return "", err
	}
	replacement, err := x.operand('}', true, false, "'}'")
	if err != nil {
		return "", err
	}
	value, _ := x.get(name)
	re, err := x.compile(pattern, value, "", true)
	if err != nil {
		return "", err
	}
	if !all {
		if at := re.FindStringIndex(value); at != nil {
			value = value[:at[0]] + replacement + value[at[1]:]
		}
		return value, nil
	}
	return x.replaceAll(re, value, replacement)
}

// replaceAll is regexp's ReplaceAllString, within bounds. A $0 of the replacement is the match.
func (x *expander) replaceAll(re *regexp.Regexp, value, replacement string) (string, error) {
	var out []byte
	done, dollars := 0, strings.Count(replacement, "$")
	for _, at := range re.FindAllStringIndex(value, -1) {
		if len(out)+len(replacement)+dollars*(at[1]-at[0]) > 8*longestWord {
			return "", errTooLong
		}
		if !x.spend(2 + len(replacement)/8) {
			return "", errTooSlow
		}
		out = append(out, value[done:at[0]]...)
		out = re.ExpandString(out, replacement, value, at)
		done = at[1]
	}
	if len(out)+len(value)-done > longestWord {
		return "", errTooLong
	}
	return string(append(out, value[done:]...)), nil
}

// compile makes a regular expression of a pattern with * and ?, to be used on a value once. Its work is the product
// of both.
func (x *expander) compile(pattern, value, anchor string, greedy bool) (*regexp.Regexp, error) {
	if !x.spend(20 + 10*len(pattern) + len(pattern)*len(value)/2) {
		return nil, errTooSlow
	}
	expression, err := expressionOf(pattern, anchor, greedy)
	if err != nil {
		return nil, fmt.Errorf("invalid pattern (%s) in substitution: %w", pattern, err)
	}
	return regexp.Compile(expression)
}

func expressionOf(pattern, anchor string, greedy bool) (string, error) {
	var w strings.Builder
	w.WriteString(anchor)
	runes := []rune(strings.TrimPrefix(pattern, "\ufeff"))
	for i := 0; i < len(runes); i++ {
		switch r := runes[i]; {
		case r == '*' && greedy:
			w.WriteString(".*")
		case r == '*':
			w.WriteString(".*?")
		case r == '?':
			w.WriteByte('.')
		case r != '\\':
			w.WriteString(regexp.QuoteMeta(string(r)))
		case i+1 < len(runes) && strings.ContainsRune(`}/`, runes[i+1]): // the escape was for ${} alone
		case i+1 < len(runes) && strings.ContainsRune(`*?\`, runes[i+1]):
			i++
			w.WriteString(regexp.QuoteMeta(string(runes[i])))
		default:
			r = utf8.RuneError
			if i+1 < len(runes) {
				r = runes[i+1]
			}
			return "", fmt.Errorf(`invalid escape '\%c'`, r)
		}
	}
	return w.String(), nil
}

// reversedPattern reverses a pattern, but for its escapes, which stay before what they escape.
func reversedPattern(pattern string) string {
	in := []rune(pattern)
	out := slices.Clone(in)
	slices.Reverse(out)
	for i := 0; i < len(in)-1; i++ {
		if in[i] == '\\' {
			at := len(in) - 2 - i
			out[at], out[at+1] = in[i], in[i+1]
			i++
		}
	}
	return string(out)
}

func reversed(text string) string {
	runes := []rune(text)
	slices.Reverse(runes)
	return string(runes)
}
