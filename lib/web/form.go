package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"toaster.do/lib/apperr"
	"toaster.do/lib/i18n"
)

// Fields are the names that a form may have, with their limits in bytes. Others are refused. One that ends with .* is
// for all that begin so.
type Fields map[string]Limit

// Limit bounds a field. What is over Most is refused, but kept up to Keep so that its sender gets it back.
type Limit struct {
	Most, Keep int64
	Many       int  // how many fields of that beginning there may be; 0: one
	File       bool // an upload: any bytes
	Text       bool // an upload of what could as well be typed
	Secret     bool // a password or a code: it is never kept for its sender
	Hidden     bool // nobody types it
	// Spool is a folder for an upload of any size, which goes to a file there that has no name; empty: to memory.
	Spool    string
	FreeDisk int64 // bytes that the disk of that folder has to keep
	// Mistaken says what somebody has sent by mistake, by its beginning, and what to do; empty: it is just too large.
	Mistaken func(begin []byte) (message, advice i18n.Key)
}

// Form is what a request's body holds.
type Form struct {
	Values map[string]string
	Files  map[string]File   // the uploads that were chosen
	Lost   map[string]string // the uploads that were too large, by their names and sizes
}

func newForm() *Form {
	return &Form{Values: map[string]string{}, Files: map[string]File{}, Lost: map[string]string{}}
}

// File is one upload.
type File struct {
	Name    string // as its sender calls it: for showing only
	Content []byte
	Spooled *spooled // instead of Content, of one that went to a file
}

// onceField is the field that every form of a page has: see Request.once.
const onceField = "once"

const (
	parts    = 64       // more are refused
	overhead = 64 << 10 // for boundaries and headers of parts
	drained  = 16 << 20 // what is still read of a body that was refused, so that its sender sees the answer
	// passed is how much of an upload is passed over that is too large: so the fields behind it are read, and come back.
	passed = 1 << 30
)

// find returns a field's limit.
func (f Fields) find(name string) (l Limit, known bool) {
	if name == onceField {
		return Limit{Most: 200, Hidden: true}, true
	}
	if l, known = f[name]; known {
		return l, true
	}
	begin, _, _ := strings.Cut(name, ".")
	l, known = f[begin+".*"]
	return l, known && name != begin
}

// most is how much a body with these fields may have, and how much of that goes to files.
func (f Fields) most() (n, spooled int64) {
	n = overhead
	for _, l := range f {
		if l.Spool != "" {
			spooled += l.Most
			continue
		}
		n += max(l.Most, l.Keep) * int64(max(l.Many, 1))
	}
	return n, spooled
}

// ReadForm reads a request's body, never more of it into memory than the fields may have; only what is spooled goes to
// the disk. The error has all that is wrong with the fields (apperr.All); with it comes what could be read, for showing the form
// again.
func ReadForm(r *http.Request, fields Fields) (*Form, error) {
	form := newForm()
	if r.Body == nil || r.ContentLength == 0 {
		return form, nil
	}
	body := r.Body
	defer func() { io.CopyN(io.Discard, body, drained) }()
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return form, malformed(http.StatusUnsupportedMediaType, err)
	}
	most, spooled := fields.most()
	if kind == "multipart/form-data" {
		r.Body = http.MaxBytesReader(nil, body, most+spooled+passed)
		return form, form.multipart(multipart.NewReader(r.Body, parameters["boundary"]), fields)
	}
	r.Body = http.MaxBytesReader(nil, body, most)
	switch kind {
	case "application/x-www-form-urlencoded":
		return form, form.urlencoded(r.Body, fields)
	case "application/json":
		return form, form.json(r.Body, fields)
	}
	return form, malformed(http.StatusUnsupportedMediaType, fmt.Errorf("content type %q", kind))
}

func (f *Form) multipart(m *multipart.Reader, fields Fields) error {
	var all []error
	for n := 0; ; n++ {
		part, err := m.NextRawPart()
		if err == io.EOF {
			return errors.Join(all...)
		}
		if err == nil && n >= parts {
			err = malformed(http.StatusBadRequest, errors.New("too many parts"))
		}
		if err != nil {
			return errors.Join(append(all, unread(err))...)
		}
		err = f.part(part, fields)
		all = append(all, err)
		if stop := (*unreadable)(nil); errors.As(err, &stop) {
			return errors.Join(all...)
		}
	}
}

// part reads one part. What is too large is passed over.
func (f *Form) part(part *multipart.Part, fields Fields) error {
	name, file := part.FormName(), part.FileName()
	limit, known := fields.find(name)
	if limit.Spool != "" && known {
		return f.spool(part, limit)
	}
	keep := max(limit.Most, limit.Keep)
	var b bytes.Buffer
	_, err := io.Copy(&b, io.LimitReader(part, keep+1))
	var rest int64
	if err == nil {
		rest, err = io.Copy(io.Discard, part)
	}
	n := int64(b.Len()) + rest
	if limit.File && n > keep {
		f.Lost[name] = lost(file, n)
	}
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return &unreadable{limit.exceeded(name, b.Bytes())}
	}
	if err != nil {
		return unread(err)
	}
	if !known {
		return unknownField(name, fields)
	}
	if file == "" && limit.File && n == 0 { // nothing was chosen
		return nil
	}
	if n > keep {
		return limit.exceeded(name, b.Bytes())
	}
	return f.add(name, file, b.Bytes(), limit)
}

func (f *Form) urlencoded(body io.Reader, fields Fields) error {
	b, err := io.ReadAll(body)
	if err != nil {
		return unread(err)
	}
	values, err := url.ParseQuery(string(b))
	if err != nil {
		return malformed(http.StatusBadRequest, err)
	}
	var all []error
	for _, name := range slices.Sorted(maps.Keys(values)) {
		limit, known := fields.find(name)
		if !known {
			all = append(all, unknownField(name, fields))
			continue
		}
		for _, v := range values[name] {
			all = append(all, f.add(name, "", []byte(v), limit))
		}
	}
	return errors.Join(all...)
}

// json takes an object whose members are strings, numbers or booleans.
func (f *Form) json(body io.Reader, fields Fields) error {
	d := json.NewDecoder(body)
	d.UseNumber()
	var members map[string]any
	err := d.Decode(&members)
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			err = nil
		} else if err == nil {
			err = errors.New("something follows the object")
		}
	}
	if err != nil {
		if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
			return unread(err)
		}
		return malformed(http.StatusBadRequest, err)
	}
	var all []error
	for _, name := range slices.Sorted(maps.Keys(members)) {
		limit, known := fields.find(name)
		v := members[name]
		text := fmt.Sprint(v)
		switch v {
		case true:
			text = "1"
		case false:
			text = ""
		}
		switch v.(type) {
		case nil:
			text = ""
		case map[string]any, []any:
			if known {
				all = append(all, apperr.New(apperr.InvalidArgument, "“%s” must be a string.", "", name).At(name))
				continue
			}
		}
		switch {
		case !known:
			all = append(all, unknownField(name, fields))
		case v != nil:
			all = append(all, f.add(name, "", []byte(text), limit))
		}
	}
	return errors.Join(all...)
}

func (f *Form) add(name, file string, content []byte, limit Limit) error {
	if err := f.first(name); err != nil {
		return err
	}
	if !limit.File { // browsers send a line's end as CR LF (HTML, 4.10.21.4)
		content = bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))
	}
	size := int64(len(content))
	if size <= max(limit.Most, limit.Keep) {
		if limit.File {
			f.Files[name] = File{Name: file, Content: content}
		} else if utf8.Valid(content) && !bytes.ContainsRune(content, 0) {
			f.Values[name] = string(content)
		} else {
			return apperr.New(apperr.InvalidArgument, "This is not UTF-8 text.", "Send it as UTF-8.").At(name)
		}
	}
	if size > limit.Most {
		return limit.exceeded(name, content)
	}
	return nil
}

// first is an error where the form has the field already.
func (f *Form) first(name string) error {
	_, value := f.Values[name]
	if _, upload := f.Files[name]; value || upload {
		return malformed(http.StatusBadRequest, fmt.Errorf("field %q was sent twice", name))
	}
	return nil
}

// exceeded is the fault of a field that is larger than its limit; begin is what of it was read.
func (l Limit) exceeded(field string, begin []byte) *apperr.Error {
	if l.Mistaken != nil {
		if message, advice := l.Mistaken(begin); message != "" {
			return apperr.New(apperr.InvalidArgument, message, advice).At(field)
		}
	}
	return apperr.New(apperr.TooLarge, "This is too large. The limit is %s.",
		"Nothing was saved. Send less.", size(l.Most)).At(field)
}

// unreadable is an error after which nothing more of a body can be read.
type unreadable struct{ error }

func (u *unreadable) Unwrap() error { return u.error }

// unread says why reading a body ended: it is over its limit, or broken.
func unread(err error) error {
	if err == nil {
		return nil
	}
	var tooLong *http.MaxBytesError
	if errors.As(err, &tooLong) {
		return &unreadable{apperr.Wrap(apperr.TooLarge, err, "The form is too large. The limit is %s.",
			"Nothing was saved. Send less.", size(tooLong.Limit))}
	}
	var already *statusFault
	if errors.As(err, &already) {
		return &unreadable{err}
	}
	return &unreadable{malformed(http.StatusBadRequest, err)}
}
