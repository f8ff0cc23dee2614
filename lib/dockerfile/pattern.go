package dockerfile

import (
	"path"
	"path/filepath"
	"strings"
)

// The builder matches paths with POSIX extended regular expressions, byte by byte. These functions make them from the
// two kinds of patterns that Dockerfiles have.

const oneRune = "([^/\x80-\xff]|[\xc0-\xff][\x80-\xbf]*)"

// globRegexp translates a pattern of path.Match, as in the sources of COPY.
func globRegexp(pattern string) (string, error) {
	if _, err := path.Match(pattern, "x"); err != nil {
		return "", err
	}
	var w strings.Builder
	w.WriteByte('^')
	for i := 0; i < len(pattern); i++ {
		switch b := pattern[i]; b {
		case '*':
			w.WriteString("[^/]*")
		case '?':
			w.WriteString(oneRune)
		case '[':
			i = bracket(&w, pattern, i)
		case '\\':
			i++
			literal(&w, pattern[i])
		default:
			literal(&w, b)
		}
	}
	return w.String() + "$", nil
}

// bracket writes a class like [a-z] or [^x] and returns the place of its last byte. The pattern is known to be well
// formed.
func bracket(w *strings.Builder, p string, i int) int {
	var ranges []string
	i++
	not := p[i] == '^'
	if not {
		i++
	}
	next := func() string {
		if p[i] == '\\' {
			i++
		}
		start := i
		for i++; i < len(p) && p[i]&0xc0 == 0x80; i++ {
		}
		return p[start:i]
	}
	for first := true; first || p[i] != ']'; first = false {
		lo := next()
		hi := lo
		if p[i] == '-' {
			i++
			hi = next()
		}
		ranges = append(ranges, lo, hi)
	}
	classes(w, ranges, not)
	return i
}

// classes writes the alternatives of a class: bytes as a POSIX bracket expression, longer characters one by one.
func classes(w *strings.Builder, ranges []string, not bool) {
	var bytes [256]bool
	var long []string
	for i := 0; i < len(ranges); i += 2 {
		lo, hi := ranges[i], ranges[i+1]
		if len(lo) == 1 && len(hi) == 1 {
			for b := int(lo[0]); b <= int(hi[0]); b++ {
				bytes[b] = true
			}
			continue
		}
		for r, last := []rune(lo)[0], []rune(hi)[0]; r <= last && len(long) < 512; r++ {
			if r < 0x80 {
				bytes[r] = true
			} else {
				long = append(long, string(r))
			}
		}
	}
	var alt []string
	for b := 1; b < 0x80; b++ {
		if bytes[b] != not && b != '/' {
			var one strings.Builder
			literal(&one, byte(b))
			alt = append(alt, one.String())
		}
	}
	if not {
		alt = append(alt, "[\xc0-\xff][\x80-\xbf]*")
	} else {
		alt = append(alt, long...)
	}
	if len(alt) == 0 {
		alt = []string{"//"} // nothing
	}
	w.WriteString("(" + strings.Join(alt, "|") + ")")
}

func literal(w *strings.Builder, b byte) {
	if strings.IndexByte(`.*+?()[]{}|^$\`, b) >= 0 {
		w.WriteByte('\\')
	}
	w.WriteByte(b)
}

// patternRegexp translates a pattern of .dockerignore's kind, as in --exclude and --parents: * and ? as above, ** for
// any number of folders, ! for the opposite. It follows github.com/moby/patternmatcher.
func patternRegexp(pattern string) (re string, not bool, err error) {
	pattern = strings.TrimSpace(pattern)
	if pattern, not = strings.CutPrefix(pattern, "!"); not && pattern == "" {
		return "", false, filepath.ErrBadPattern
	}
	pattern = filepath.Clean(pattern)
	if _, err := filepath.Match(pattern, "."); err != nil {
		return "", false, err
	}
	var w strings.Builder
	w.WriteByte('^')
	for i := 0; i < len(pattern); i++ {
		switch b := pattern[i]; {
		case strings.HasPrefix(pattern[i:], "**"):
			i++
			if i+1 < len(pattern) && pattern[i+1] == '/' {
				i++
			}
			if i+1 == len(pattern) {
				w.WriteString(".*")
			} else if i < 3 && len(pattern) > i+1 && pattern[i] != '/' {
				w.WriteString(".*") // **x: anything that ends so
			} else {
				w.WriteString("(.*/)?")
			}
		case b == '*':
			w.WriteString("[^/]*")
		case b == '?':
			w.WriteString(oneRune)
		case b == '[':
			i = bracket(&w, pattern, i)
		case b == '\\' && i+1 < len(pattern):
			i++
			literal(&w, pattern[i])
		default:
			literal(&w, b)
		}
	}
	return w.String() + "$", not, nil
}

func hasWildcards(p string) bool {
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '*', '?', '[':
			return true
		case '\\':
			i++
		}
	}
	return false
}

// splitWildcards cuts a path before its first part with a wildcard. wild is empty without one.
func splitWildcards(p string) (folder, wild string) {
	parts := strings.Split(strings.TrimPrefix(p, "/"), "/")
	for i, part := range parts {
		if hasWildcards(part) {
			return "/" + path.Join(parts[:i]...), path.Join(parts[i:]...)
		}
	}
	return p, ""
}
