package buildcontext

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"toaster.do/lib/apperr"
)

// TestCheck: what a stranger's manifest must not have, each with the path it is about.
func TestCheck(t *testing.T) {
	file := func(path string) Entry { return Entry{Path: path, Type: File, Mode: 0o644, Size: 1, SHA256: sum} }
	with := func(e Entry, change func(*Entry)) Entry { change(&e); return e }
	attribute := func(e Entry, key, value string) Entry { e.Xattrs = map[string]string{key: value}; return e }
	hard := func(path, to string) Entry { return Entry{Path: path, Type: File, Hardlink: to} }
	long := strings.Repeat("x", 65530)
	dir := Entry{Path: "d", Type: Dir, Mode: 0o755}
	other := strings.Repeat("0", 64)
	for says, entries := range map[string][]Entry{
		`"/" is not a folder`:                       {file("")},
		`NUL`:                                       {file("a\x00")},
		`"/a" has an absolute name`:                 {file("/a")},
		`"../a" leads out`:                          {file("../a")},
		`"d/.." leads out`:                          {dir, file("d/..")},
		`of more than 4096 bytes`:                   {file(strings.Repeat("a/", 2100))},
		`of more than 255 bytes`:                    {file(strings.Repeat("a", 256))},
		`"./a" is not a plain path`:                 {file("./a")},
		`"." is not a plain path`:                   {file(".")},
		`"d/" is not a plain path`:                  {file("d/")},
		`"a" exists twice`:                          {file("a"), file("a")},
		`"a" is not in the order`:                   {file("b"), file("a")},
		`"c/f" is below "c"`:                        {file("c"), file("c/f")},
		`"x/y" is below "x"`:                        {file("x/y")},
		`"m" has an invalid mode`:                   {with(file("m"), func(e *Entry) { e.Mode = 0o10000 })},
		`"t" has an invalid mode or time`:           {with(file("t"), func(e *Entry) { e.Time = 1 << 50 })},
		`"u" has an unknown type`:                   {{Path: "u", Type: "hard"}},
		`"h" is a hard link to "later"`:             {hard("h", "later"), file("later")},
		`"h" is a hard link to "d"`:                 {dir, hard("h", "d")},
		`"h" is a hard link to "g"`:                 {file("f"), hard("g", "f"), hard("h", "g")},
		`"l" has an invalid link target`:            {{Path: "l", Type: Link}},
		`"n" has an invalid link target`:            {{Path: "n", Type: Link, Link: "a\x00"}},
		`"o" has an invalid link target`:            {{Path: "o", Type: Link, Link: strings.Repeat("a", 4096)}},
		`"p" has an invalid link target`:            {{Path: "p", Type: Fifo, Link: "x"}},
		`"s" has an invalid size`:                   {with(file("s"), func(e *Entry) { e.Size = -1 })},
		`"x" has an invalid size or SHA-256`:        {with(file("x"), func(e *Entry) { e.SHA256 = strings.ToUpper(sum) })},
		`"d" has contents`:                          {with(dir, func(e *Entry) { e.Size = 1 })},
		`"b" has another size`:                      {file("a"), with(file("b"), func(e *Entry) { e.Size = 2 })},
		`"k" has an extended attribute that`:        {attribute(file("k"), "user.x", "")},
		`"q" has an extended attribute that builds`: {attribute(file("q"), "SCHILY.xattr.user.a=b", "")},
		`"l2" can't have extended attributes`:       {attribute(Entry{Path: "l2", Type: Fifo}, "SCHILY.xattr.user.a", "")},
		`"v" has more than 64 KiB`:                  {attribute(file("v"), "SCHILY.xattr.user.a", long)},
		`larger than 1 MiB`: {with(file("a"), func(e *Entry) { e.Size = 1 << 20 }),
			with(file("b"), func(e *Entry) { e.SHA256 = other })},
		`has more than 4 entries`: {file("a"), file("b"), file("c"), file("d"), file("e")},
	} {
		err := Check(&Manifest{Entries: entries}, Limits{Bytes: 1 << 20, Entries: 4})
		if err == nil {
			t.Errorf("taken: %+v", entries)
			continue
		}
		f := apperr.Of(err)
		if kind := f.Kind; kind != apperr.InvalidArgument && kind != apperr.TooLarge || f.Advice.IsZero() ||
			!strings.Contains(f.Message.String(), says) {
			t.Errorf("%s: %q, want %q", f.Kind, f.Message, says)
		}
	}
	good := &Manifest{Entries: []Entry{{Type: Dir}, dir, file("d-"), file("d/f"), hard("h", "d/f")}}
	if err := Check(good, Limits{Bytes: 2, Entries: 4}); err != nil {
		t.Error(err)
	}
}

// FuzzCheck: whatever passes has an encoding that is read as the same, and no path that leads out.
func FuzzCheck(f *testing.F) {
	f.Add([]byte("toaster-context 1\ndir 755 0 d\nfile 644 0 d/a 1 " + sum + " SCHILY.xattr.user.a=v\nlink 777 0 l t\n" +
		"hard 644 0 h d/a\nfifo 600 0 p\n"))
	f.Add([]byte("toaster-context 1 git\ndir 0 0 .\nother 0 0 a%2f\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Decode(bytes.NewReader(text))
		if err != nil || Check(m, Limits{}) != nil {
			return
		}
		for _, e := range m.Entries {
			if strings.HasPrefix(e.Path, "/") || strings.Contains("/"+e.Path+"/", "/../") ||
				strings.Contains("/"+e.Path+"/", "/./") || strings.ContainsRune(e.Path+e.Link, 0) {
				t.Fatalf("%+v", e)
			}
		}
		var b bytes.Buffer
		if err := m.Encode(&b); err != nil {
			t.Fatal(err)
		}
		if again, err := Decode(&b); err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("%+v is read as %+v: %v", m, again, err)
		}
	})
}
