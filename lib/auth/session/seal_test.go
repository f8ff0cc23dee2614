package session

import (
	"testing"
	"time"

	"github.com/gorilla/securecookie"
)

func TestWhatAPageCarriesIsForOnePurposeAndNotForLong(t *testing.T) {
	s := newSite(t)
	text, err := s.Seal("login", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := s.Unseal("login", text, time.Minute); !ok || string(v) != "secret" {
		t.Error(v, ok)
	}
	for what, c := range map[string]struct{ purpose, text string }{
		"another purpose": {"factor:1", text}, "changed": {"login", text[:len(text)-2] + "xx"}, "empty": {"login", ""},
	} {
		if _, ok := s.Unseal(c.purpose, c.text, time.Minute); ok {
			t.Error(what)
		}
	}
	s.now = s.now.Add(time.Minute)
	if _, ok := s.Unseal("login", text, time.Minute); ok {
		t.Error("too old")
	}
}

func FuzzUnseal(f *testing.F) {
	m := &Manager{Now: time.Now, codecs: securecookie.CodecsFromPairs(make([]byte, 64), make([]byte, 32))}
	good, err := m.Seal("login", []byte("secret"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good[:len(good)-1])
	f.Add("MTc2NzMyMzA0NXxhYmM=")
	f.Fuzz(func(t *testing.T, text string) {
		if v, ok := m.Unseal("login", text, time.Hour); ok && text != good {
			t.Errorf("%q gives %q", text, v)
		}
	})
}
