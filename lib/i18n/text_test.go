package i18n

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

var at = time.Date(2026, 3, 4, 15, 4, 5, 0, time.UTC)

// shout is a language that shows what is translated.
type shout struct{}

func (shout) Format(key string) string { return strings.ReplaceAll(strings.ToUpper(key), "%S", "%s") }
func (shout) Time(t Time) string       { return t.At.Format(time.DateOnly) }

func TestATextIsAKeyWithItsArguments(t *testing.T) {
	for _, x := range []struct {
		text             Text
		english, shouted string
	}{
		{Text{}, "", ""},
		{T(""), "", ""},
		{T("100 % done"), "100 % done", "100 % DONE"},
		{T("%d%% of %s", 5, "x"), "5% of x", "5% OF x"},
		{T("%d of %03d is %q.", 1, 7, "a%s<b>"), `1 of 007 is "a%s<b>".`, `1 OF 007 IS "a%s<b>".`},
		{T("It failed: %s", T("no %s.", "disk")), "It failed: no disk.", "IT FAILED: NO disk."},
		{T("The %s is full.", Key("disk")), "The disk is full.", "THE DISK IS FULL."},
		{T("On %s.", Time{at, "2 Jan 2006"}), "On 4 Mar 2026.", "ON 2026-03-04."},
		{T("%s", T("alone")), "alone", "ALONE"},
		{T("%s", Text{}), "", ""},
		{Plain("50%s"), "50%s", "50%s"},
		{Plain(""), "", ""},
	} {
		if got := x.text.String(); got != x.english || x.text.IsZero() != (x.english == "") {
			t.Errorf("%q, want %q", got, x.english)
		}
		if got := x.text.In(shout{}); got != x.shouted {
			t.Errorf("%q, want %q", got, x.shouted)
		}
		stored, err := x.text.Value()
		var scanned Text
		if err != nil || scanned.Scan(stored) != nil || scanned != x.text {
			t.Errorf("%v is read as %q", stored, scanned)
		}
		kept, err := json.Marshal(Stored(x.text))
		var again Stored
		if err != nil || json.Unmarshal(kept, &again) != nil || Text(again).String() != x.english {
			t.Errorf("%s is read as %q", kept, Text(again))
		}
		if said, err := json.Marshal(x.text); err != nil || !strings.HasPrefix(string(said), `"`) {
			t.Errorf("programs get %s, %v", said, err)
		}
	}
}

func TestAMessagesArgumentsComeBeforeItsAdvices(t *testing.T) {
	m, a := Split("%d of %d.", "Ask %s.", []any{1, 2, "Ann"})
	if m.String() != "1 of 2." || a.String() != "Ask Ann." {
		t.Errorf("%q, %q", m, a)
	}
}

// FuzzText: whatever is in the database is shown, and never ends the program.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "rootfs_amd64", "[]", `["%s"]`, `["%s %s",["x"],{"2 Jan":3}]`, `[null,[[]]]`, `{"a":1}`,
		"null"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := Text{s}
		if !json.Valid([]byte(s)) && text.String() != s {
			t.Errorf("%q becomes %q", s, text)
		}
		_ = text.In(shout{})
	})
}
