// Package shell writes data as words of a POSIX shell.
package shell

import "strings"

// Quote makes one word of a POSIX shell that means s and nothing else (XCU 2.2.2). What needs no quotes gets none.
func Quote(s string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_-./:=@%+,", r)
	}
	if s != "" && strings.TrimFunc(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
