// Package nearest finds what somebody may have meant who mistyped a name.
package nearest

import "unicode/utf8"

// To returns the first of the known names that is nearest to name and fewer than three edits away; empty when none is,
// or name is one of them. It is what BuildKit's suggest.Search says, without measuring by how much a name is too far
// away.
func To(name string, known []string) string {
	match, best := "", 3
	for _, k := range known {
		if k == name {
			return ""
		}
		if d := edits(name, k, best-1); d < best {
			match, best = k, d
		}
	}
	return match
}

// edits counts the letters to put in, take out or change to make a into b; more than limit when it is more than limit,
// which is small. Both are UTF-8.
func edits(a, b string, limit int) int {
	for a != "" && b != "" {
		first, n := utf8.DecodeRuneInString(a)
		if other, _ := utf8.DecodeRuneInString(b); first != other {
			break
		}
		a, b = a[n:], b[n:]
	}
	if a == "" && b == "" {
		return 0
	}
	if limit == 0 || len(a)-len(b) > limit*utf8.UTFMax || len(b)-len(a) > limit*utf8.UTFMax {
		return limit + 1
	}
	_, i := utf8.DecodeRuneInString(a)
	_, j := utf8.DecodeRuneInString(b)
	return 1 + min(edits(a[i:], b[j:], limit-1), edits(a[i:], b, limit-1), edits(a, b[j:], limit-1))
}
