package contexts

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"toaster.do/lib/apperr"
	"toaster.do/lib/buildcontext"
)

// entryJSON is an entry of a manifest as programs send it. What is not UTF-8 is in the fields that end with 64, in
// base64.
type entryJSON struct {
	Path       string            `json:"path"`
	Path64     []byte            `json:"path64"`
	Type       string            `json:"type"` // file, dir, link, fifo
	Mode       mode              `json:"mode"`
	Time       int64             `json:"time"` // Unix seconds
	Size       int64             `json:"size"`
	SHA256     string            `json:"sha256"`
	Link       string            `json:"link"`
	Link64     []byte            `json:"link64"`
	Hardlink   string            `json:"hardlink"`
	Hardlink64 []byte            `json:"hardlink64"`
	Xattrs     map[string]string `json:"xattrs"` // in base64, by their names
}

// mode is a number, or octal digits in a string; nil: as is usual.
type mode struct{ bits *int64 }

// UnmarshalJSON reads either.
func (m *mode) UnmarshalJSON(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if s, isString := strings.CutPrefix(string(text), `"`); isString {
		n, err = strconv.ParseInt(strings.TrimPrefix(strings.TrimSuffix(s, `"`), "0o"), 8, 64)
	}
	if string(text) == "null" {
		return nil
	}
	m.bits = &n
	return err
}

var usualModes = map[buildcontext.Type]int64{buildcontext.File: 0o644, buildcontext.Dir: 0o755, buildcontext.Link: 0o777,
	buildcontext.Fifo: 0o644}

// maxEntry is how much JSON one entry may have: a path and a link of 4 KiB, and attributes.
const maxEntry = 1 << 20

// metered ends a stream that has much more bytes than were made use of.
type metered struct {
	io.Reader
	read, limit int64
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	if m.read += int64(n); m.read > m.limit {
		return 0, apperr.New(apperr.TooLarge, "An entry of the manifest is larger than 1 MiB.", "Omit it.")
	}
	return n, err
}

// ReadJSON reads {"entries":[…]}, in any order. It keeps no more entries than the limits allow, and checks nothing
// else: see Store.Declare. With "base":"sha256:…" before them, the entries are what is changed in that context,
// which base returns; those of the type "gone" are no longer there.
func ReadJSON(r io.Reader, l buildcontext.Limits, base func(digest string) (*buildcontext.Manifest, error)) (
	*buildcontext.Manifest, error) {
	in := &metered{Reader: r, limit: 2 * maxEntry}
	d := json.NewDecoder(in)
	d.DisallowUnknownFields()
	old, err := begin(d, base)
	if err != nil {
		return nil, err
	}
	m := &buildcontext.Manifest{}
	var names buildcontext.Names
	for d.More() {
		var in64 entryJSON
		if err := d.Decode(&in64); err != nil {
			return nil, notJSON(err)
		}
		e, err := in64.entry()
		if err == nil {
			err = names.Add(&e)
		}
		if err != nil {
			return nil, notJSON(err)
		}
		if m.Entries = append(m.Entries, e); l.Entries > 0 && len(m.Entries) > l.Entries {
			return nil, buildcontext.TooMany(l.Entries)
		}
		in.limit = d.InputOffset() + 2*maxEntry
	}
	for _, want := range []json.Token{json.Delim(']'), json.Delim('}')} {
		if got, err := d.Token(); err != nil || got != want {
			return nil, notJSON(err)
		}
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, notJSON(fmt.Errorf("something follows the object: %w", err))
	}
	byPath := func(a, b buildcontext.Entry) int { return cmp.Compare(a.Path, b.Path) }
	slices.SortStableFunc(m.Entries, byPath)
	if old != nil {
		m = &buildcontext.Manifest{Origin: old.Origin, Entries: changed(old.Entries, m.Entries)}
	}
	more, err := parents(m.Entries, l.Entries)
	if err != nil {
		return nil, err
	}
	if len(more) > 0 {
		m.Entries = append(m.Entries, more...)
		slices.SortStableFunc(m.Entries, byPath)
	}
	return m, nil
}

// begin reads the object up to its first entry, and returns the manifest that the entries change; nil: none.
func begin(d *json.Decoder, base func(digest string) (*buildcontext.Manifest, error)) (*buildcontext.Manifest, error) {
	var old *buildcontext.Manifest
	got, err := d.Token()
	if err == nil && got == json.Delim('{') {
		got, err = d.Token()
	}
	if err == nil && got == "base" {
		var digest string
		if err := d.Decode(&digest); err != nil {
			return nil, notJSON(err)
		}
		if old, err = base(strings.TrimPrefix(digest, "sha256:")); err != nil {
			return nil, err
		}
		got, err = d.Token()
	}
	if err != nil || got != "entries" {
		return nil, notJSON(err)
	}
	if got, err = d.Token(); err != nil || got != json.Delim('[') {
		return nil, notJSON(err)
	}
	return old, nil
}

// goneType is the type of an entry that a manifest's base has, and the manifest has not.
const goneType buildcontext.Type = "gone"

// changed returns the entries with others in place of those of the same path; both lists are by path.
func changed(old, others []buildcontext.Entry) []buildcontext.Entry {
	list := make([]buildcontext.Entry, 0, len(old)+len(others))
	for _, e := range others {
		for len(old) > 0 && old[0].Path < e.Path {
			list, old = append(list, old[0]), old[1:]
		}
		if len(old) > 0 && old[0].Path == e.Path {
			old = old[1:]
		}
		if e.Type != goneType {
			list = append(list, e)
		}
	}
	return append(list, old...)
}

// parents are the folders that only what is in them tells of; the list is by path. With these, it has at most so many
// entries; 0: any number.
func parents(list []buildcontext.Entry, most int) (more []buildcontext.Entry, err error) {
	known := map[string]bool{}
	for i := range list {
		for up := path.Dir(list[i].Path); up != "." && up != "/" && !known[up]; up = path.Dir(up) {
			known[up] = true
			_, found := slices.BinarySearchFunc(list, up,
				func(e buildcontext.Entry, path string) int { return cmp.Compare(e.Path, path) })
			if !found {
				more = append(more, buildcontext.Entry{Path: up, Type: buildcontext.Dir, Mode: 0o755, Time: list[i].Time})
			}
			if most > 0 && len(list)+len(more) > most {
				return nil, buildcontext.TooMany(most)
			}
		}
	}
	return more, nil
}

func notJSON(err error) error {
	if e := apperr.Of(err); e.Kind != apperr.Internal && err != nil {
		return e
	}
	return apperr.Wrap(apperr.InvalidArgument, err, "The manifest can't be read.",
		"Send {\"entries\": [{\"path\": …, \"type\": \"file\", \"size\": …, \"sha256\": …}, …]}.").Coded("manifest_invalid")
}

// typeOf is the type, of which all entries have the same string.
func typeOf(text string) buildcontext.Type {
	for known := range usualModes {
		if text == string(known) {
			return known
		}
	}
	return buildcontext.Type(text)
}

func (in *entryJSON) entry() (buildcontext.Entry, error) {
	either := func(text string, bytes []byte) string {
		if bytes != nil {
			return string(bytes)
		}
		return text
	}
	e := buildcontext.Entry{Path: either(in.Path, in.Path64), Type: typeOf(in.Type), Time: in.Time,
		Size: in.Size, SHA256: in.SHA256, Link: either(in.Link, in.Link64), Hardlink: either(in.Hardlink, in.Hardlink64)}
	if e.Path = strings.TrimSuffix(strings.TrimPrefix(e.Path, "./"), "/"); e.Path == "." {
		e.Path = ""
	}
	e.Mode = usualModes[e.Type]
	if in.Mode.bits != nil {
		e.Mode = *in.Mode.bits
	}
	for name, text := range in.Xattrs {
		value, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return e, err
		}
		if e.Xattrs == nil {
			e.Xattrs = map[string]string{}
		}
		e.Xattrs["SCHILY.xattr."+strings.TrimPrefix(name, "SCHILY.xattr.")] = string(value)
	}
	return e, nil
}
