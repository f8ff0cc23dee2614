// Package i18n holds what people read as a key with arguments, until it is known in which language. English needs no
// catalog: the key is the English text.
package i18n

import (
	"cmp"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Key is a text in English, with verbs as package fmt has them. Programs write Keys as constants, which is how a test
// finds them all (lib/view/keys_test.go).
type Key string

// Text is a Key with its arguments. The zero value is no text.
type Text struct{ code string } // JSON, as Value describes it

// T returns the text of a key with its arguments, which may be Texts and Times. All others are written at once, as
// their verbs say: to translations they are %s, or %[n]s.
func T(key Key, args ...any) Text {
	if t, ok := alone(key, args); ok || key == "" {
		return t
	}
	generic, parts := "", ""
	before, verb, rest := cut(string(key))
	for ; verb != ""; before, verb, rest = cut(rest) {
		generic += before + "%s"
		if len(args) > 0 {
			parts += "," + argument(verb, args[0])
			args = args[1:]
		}
	}
	return Text{"[" + quote(generic+before) + parts + "]"}
}

// alone is the text that a key with nothing of its own consists of.
func alone(key Key, args []any) (t Text, ok bool) {
	if key == "%s" && len(args) == 1 {
		t, ok = args[0].(Text)
	}
	return t, ok
}

// Plain returns a text of somebody else's, which is the same in every language.
func Plain(s string) Text {
	if s == "" {
		return Text{}
	}
	return T("%s", s)
}

// Split returns a message and its advice: the first arguments are the message's, as many as it has verbs.
func Split(message, advice Key, args []any) (Text, Text) {
	n := min(len(args), Verbs(message))
	return T(message, args[:n]...), T(advice, args[n:]...)
}

// Verbs is how many arguments a key takes.
func Verbs(key Key) (n int) {
	_, verb, rest := cut(string(key))
	for ; verb != ""; _, verb, rest = cut(rest) {
		n++
	}
	return n
}

// cut finds the first verb of a key; empty: there is none.
func cut(key string) (before, verb, rest string) {
	for i := 0; i < len(key); i++ {
		if key[i] != '%' {
			continue
		}
		end := i + 1
		for end < len(key) && strings.IndexByte("-+#.0123456789", key[end]) >= 0 {
			end++
		}
		if end < len(key) && ('a' <= key[end] && key[end] <= 'z' || 'A' <= key[end] && key[end] <= 'Z') {
			return key[:i], key[i : end+1], key[end+1:]
		}
		i = end // the second one of %%
	}
	return key, "", ""
}

func argument(verb string, a any) string {
	switch a := a.(type) {
	case Text:
		return cmp.Or(a.code, "[]")
	case Key:
		return cmp.Or(T(a).code, "[]")
	case Time:
		return "{" + quote(a.Layout) + ":" + quote(a.At.Format(time.RFC3339)) + "}"
	}
	return quote(fmt.Sprintf(verb, a))
}

// quote writes a string as JSON. Most need no more than quotes: package encoding/json would cost each start of a
// program that declares texts.
func quote(s string) string {
	special := func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r == utf8.RuneError }
	if strings.IndexFunc(s, special) < 0 {
		return `"` + s + `"`
	}
	b, _ := json.Marshal(s) // a string can be written
	return string(b)
}

// Time is a time within a Text, in a layout of English, as time.Format has it.
type Time struct {
	At     time.Time
	Layout string
}

// Language writes Texts.
type Language interface {
	Format(key string) string // the translation of a key that has %s for each verb
	Time(t Time) string
}

type english struct{}

func (english) Format(key string) string { return key }
func (english) Time(t Time) string       { return t.At.UTC().Format(t.Layout) }

// String is the text in English.
func (t Text) String() string { return t.In(english{}) }

// In is the text in a language.
func (t Text) In(l Language) string {
	var list []any
	if t.code != "" && json.Unmarshal([]byte(t.code), &list) != nil {
		return t.code // not ours: somebody has been at the database
	}
	return written(list, l)
}

func written(list []any, l Language) string {
	if len(list) == 0 {
		return ""
	}
	for i, a := range list[1:] {
		switch a := a.(type) {
		case []any:
			list[i+1] = written(a, l)
		case map[string]any:
			for layout, at := range a {
				t, _ := time.Parse(time.RFC3339, fmt.Sprint(at))
				list[i+1] = l.Time(Time{t, layout})
			}
		}
	}
	format := l.Format(fmt.Sprint(list[0]))
	if len(list) == 1 {
		return format
	}
	return fmt.Sprintf(format, list[1:]...)
}

// MarshalText implements encoding.TextMarshaler: JSON for programs is in English.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// Value implements driver.Valuer: a JSON array of the key, with %s for each verb, and its arguments, each a string, an
// array like this one, or an object with a layout and its time. No text is empty.
func (t Text) Value() (driver.Value, error) { return t.code, nil }

// Scan implements sql.Scanner.
func (t *Text) Scan(v any) error {
	switch v := v.(type) {
	case string:
		t.code = v
	case []byte:
		t.code = string(v)
	default:
		return fmt.Errorf("%T is no text", v)
	}
	return nil
}

// Stored is a Text that JSON keeps as Value does.
type Stored Text

// MarshalJSON implements json.Marshaler.
func (s Stored) MarshalJSON() ([]byte, error) {
	if s.code == "" {
		return []byte("[]"), nil
	}
	return []byte(s.code), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *Stored) UnmarshalJSON(b []byte) error {
	if s.code = string(b); s.code == "[]" {
		s.code = ""
	}
	return nil
}

// IsZero tells whether there is no text.
func (t Text) IsZero() bool { return t == Text{} }
