package view

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// manner is how a language writes sizes and times.
type manner struct {
	point, byte, bytes, days string
	date, clock              string // layouts, as time.Format has them
	months                   []string
}

var manners = map[string]manner{
	"en": {".", "byte", "bytes", "days", "2 Jan 2006", ", 15:04:05 UTC", nil},
	"de": {",", "Byte", "Bytes", "Tage", "2. Jan 2006", ", 15:04:05 UTC",
		[]string{"Jan.", "Feb.", "März", "Apr.", "Mai", "Juni", "Juli", "Aug.", "Sept.", "Okt.", "Nov.", "Dez."}},
}

// Bytes writes a size in binary units, in a language: "812 bytes", "1.5 MiB".
func Bytes(language string, n int64) string {
	if n < 1024 {
		return Exact(language, n)
	}
	v, unit := float64(n)/1024, 0
	for v >= 1023.95 && unit < len("KMGTPE")-1 {
		v, unit = v/1024, unit+1
	}
	number := strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
	return strings.Replace(number, ".", manners[language].point, 1) + " " + "KMGTPE"[unit:unit+1] + "iB"
}

// Exact writes a size in bytes, in a language: "1536 bytes".
func Exact(language string, n int64) string {
	if n == 1 {
		return "1 " + manners[language].byte
	}
	return fmt.Sprintf("%d %s", n, manners[language].bytes)
}

// Length writes a duration for people, in its two largest units: "42 s", "3 min 5 s", "2 h", "7 days". Its spaces
// don't break a line.
func Length(language string, d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	units := []struct {
		name string
		size time.Duration
	}{{manners[language].days, 24 * time.Hour}, {"h", time.Hour}, {"min", time.Minute}, {"s", time.Second}}
	if d < 48*time.Hour {
		units = units[1:]
	}
	for i, u := range units {
		if d < u.size {
			continue
		}
		text := fmt.Sprintf("%d\u00a0%s", d/u.size, u.name)
		if i+1 < len(units) && d%u.size >= units[i+1].size {
			text += fmt.Sprintf("\u00a0%d\u00a0%s", d%u.size/units[i+1].size, units[i+1].name)
		}
		return text
	}
	return "0\u00a0s"
}

// ISO is a time for machines: the datetime attribute and JSON (RFC 3339, UTC).
func ISO(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Day is a time for people.
func Day(language string, t time.Time) string {
	m := manners[language]
	return m.write(t.UTC(), m.date+m.clock)
}

func (m manner) write(t time.Time, layout string) string {
	if m.months != nil {
		layout = strings.Replace(layout, "Jan", m.months[t.Month()-1], 1) // no name of a month is taken for a layout
	}
	return t.Format(layout)
}

// Clean makes text from strangers safe to look at: terminal sequences go, other control characters, those that
// turn the direction of writing, and bytes that are no UTF-8 become visible.
func Clean(s string) string { return CleanBut(s, func(string) bool { return false }) }

// CleanBut is Clean, but for what keep wants: a terminal sequence, or one control character.
func CleanBut(s string, keep func(sequence string) bool) string {
	plain := true
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf || s[i] < ' ' && s[i] != '\n' && s[i] != '\t' || s[i] == 0x7f {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		n := sequence(s[i:])
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case n > 0 && !keep(s[i:i+n]):
		case n == 0 && !(r < ' ' && keep(s[i:i+1])):
			n = size
			b.WriteString(visible(r, s[i+n:]))
		default:
			n = max(n, size)
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// sequence is the length of the terminal sequence that s begins with, 0 if it begins with none
// (ECMA-48: CSI, and OSC up to its end on the same line).
func sequence(s string) int {
	if len(s) < 2 || s[0] != 0x1b {
		return 0
	}
	switch s[1] {
	case '[':
		for i := 2; i < len(s) && s[i] >= 0x20 && s[i] <= 0x7e; i++ {
			if s[i] >= 0x40 {
				return i + 1
			}
		}
	case ']':
		for i := 2; i < len(s) && s[i] != '\n'; i++ {
			if s[i] == 0x07 {
				return i + 1
			}
			if s[i] == 0x1b && i+1 < len(s) && s[i+1] == '\\' {
				return i + 2
			}
		}
	case '(', ')':
		return min(3, len(s))
	}
	return 0
}

func visible(r rune, rest string) string {
	switch {
	case r == '\n' || r == '\t':
		return string(r)
	case r == '\r' && (rest == "" || rest[0] == '\n' || rest[0] == '\r'):
		return ""
	case r == '\r': // a progress bar begins its line again
		return "\n"
	case r < ' ':
		return string(rune(0x2400) + r) // Unicode's control pictures
	case r == 0x7f:
		return "\u2421"
	case r == utf8.RuneError:
		return "\ufffd"
	case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
		return fmt.Sprintf("⟨U+%04X⟩", r)
	}
	return string(r)
}
