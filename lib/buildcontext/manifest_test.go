package buildcontext

import (
	"bytes"
	"reflect"
	"testing"
)

// sum is some SHA-256.
const sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// TestManifest writes one of every kind of entry, and reads it again.
func TestManifest(t *testing.T) {
	m := &Manifest{Origin: FromGit, Entries: []Entry{
		{Path: "", Type: Dir, Mode: 0o755, Time: 3,
			Xattrs: map[string]string{"SCHILY.xattr.user.a": "1", "SCHILY.xattr.user.b": ""}},
		{Path: "a b%c", Type: File, Mode: 0o4755, Time: -1, Size: 5, SHA256: sum,
			Xattrs: map[string]string{"k=": "\x00\n ="}},
		{Path: "d", Type: Dir, Mode: 0o1777},
		{Path: "d/\xff\n", Type: Link, Mode: 0o777, Link: "../x y"},
		{Path: "e", Type: File, Mode: 0o644, Hardlink: "a b%c"},
		{Path: "f", Type: Fifo, Mode: 0o600},
		{Path: "g", Type: Other},
	}}
	var b bytes.Buffer
	if err := m.Encode(&b); err != nil {
		t.Fatal(err)
	}
	got, err := Decode(bytes.NewReader(b.Bytes()))
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("%v\n%q\nis read as\n%+v\nof\n%+v", err, b.String(), got, m)
	}
}

// FuzzDecode reads anything: what is a manifest is written as it was read.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("toaster-context 1\nfile 644 0 a 1 " + sum + " k=v\ndir 755 0 b x=y z=%00\nlink 777 0 l t\n" +
		"hard 644 0 h a\nfifo 600 0 p\n"))
	f.Add([]byte("toaster-context 1 archive\nother 0 0 a%\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Decode(bytes.NewReader(text))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := m.Encode(&b); err != nil {
			t.Fatal(err)
		}
		again, err := Decode(&b)
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%+v is read as %+v: %v", m, again, err)
		}
	})
}
