package engine

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// FormatDuration is "2h" where a Duration's own String is "2h0m0s".
func FormatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// FormatBytes is "64 MiB" where that is exact.
func FormatBytes(n int64) string {
	if n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}

// Printable leaves out what can't be printed, and what is too long.
func Printable(s string, most int) string {
	text := []rune(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(s, "\uFFFD")))
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}
