package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"unicode/utf8"

	"toaster.do/lib/fault"
)

// Fields are the names that a form may have, with their limits in bytes.
type Fields map[string]Limit

// Limit bounds a field. What is over Most is refused, but kept up to Keep so that its sender gets it back.
type Limit struct {
	Most, Keep int64
	File       bool // an upload: any bytes
}

// Form is what a request's body holds.
type Form struct {
	Values map[string]string
	Files  map[string]File // the uploads that were chosen
}

// File is one upload.
type File struct {
	Name    string // as its sender calls it: for showing only
	Content []byte
}

const (
	parts    = 32       // more are refused
	overhead = 64 << 10 // for boundaries and headers of parts
	drained  = 16 << 20 // what is still read of a body that was refused, so that its sender sees the answer
)

// most is how much a body with these fields may have.
func (f Fields) most() int64 {
	n := int64(overhead)
	for _, l := range f {
		n += max(l.Most, l.Keep)
	}
	return n
}

// ReadForm reads a request's body, never more of it than the fields may have, and nothing of it to disk. With an
// error it returns what could be read, for showing the form again.
func ReadForm(r *http.Request, fields Fields) (*Form, error) {
	form := &Form{Values: map[string]string{}, Files: map[string]File{}}
	if r.Body == nil {
		return form, nil
	}
	body := r.Body
	defer func() { io.CopyN(io.Discard, body, drained) }()
	r.Body = http.MaxBytesReader(nil, body, fields.most())
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.ContentLength == 0 && kind == "":
		return form, nil
	case err != nil:
		return form, malformed(http.StatusUnsupportedMediaType, err)
	}
	switch kind {
	case "multipart/form-data":
		return form, form.multipart(multipart.NewReader(r.Body, parameters["boundary"]), fields)
	case "application/x-www-form-urlencoded":
		return form, form.urlencoded(r.Body, fields)
	case "application/json":
		return form, form.json(r.Body, fields)
	}
	return form, malformed(http.StatusUnsupportedMediaType, fmt.Errorf("content type %q", kind))
}

func (f *Form) multipart(m *multipart.Reader, fields Fields) error {
	var first error
	for n := 0; ; n++ {
		part, err := m.NextRawPart()
		if err == io.EOF {
			return first
		}
		if err == nil && n >= parts {
			err = malformed(http.StatusBadRequest, errors.New("too many parts"))
		}
		if err != nil {
			return cmpError(first, unread(err))
		}
		err = f.part(part, fields)
		if stop := (*unreadable)(nil); errors.As(err, &stop) {
			return cmpError(first, err)
		}
		first = cmpError(first, err)
	}
}

// part reads one part. A field nobody asked for is skipped: its bytes are bounded like the others'.
func (f *Form) part(part *multipart.Part, fields Fields) error {
	name, file := part.FormName(), part.FileName()
	limit, known := fields[name]
	if !known {
		_, err := io.Copy(io.Discard, part)
		return unread(err)
	}
	var b bytes.Buffer
	_, err := io.Copy(&b, io.LimitReader(part, max(limit.Most, limit.Keep)+1))
	if err == nil {
		_, err = io.Copy(io.Discard, part)
	}
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return &unreadable{tooLarge(name, limit.Most)}
	}
	if err != nil {
		return unread(err)
	}
	if file == "" && limit.File && b.Len() == 0 { // nothing was chosen
		return nil
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
	var first error
	for name, limit := range fields {
		for _, v := range values[name] {
			first = cmpError(first, f.add(name, "", []byte(v), limit))
		}
	}
	return first
}

// json takes an object whose members are strings, numbers or booleans.
func (f *Form) json(body io.Reader, fields Fields) error {
	d := json.NewDecoder(body)
	d.UseNumber()
	var members map[string]any
	if err := d.Decode(&members); err != nil {
		if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
			return unread(err)
		}
		return malformed(http.StatusBadRequest, err)
	}
	var first error
	for name, limit := range fields {
		v, ok := members[name]
		if !ok || v == nil {
			continue
		}
		text := fmt.Sprint(v)
		switch v {
		case true:
			text = "1"
		case false:
			text = ""
		}
		switch v.(type) {
		case map[string]any, []any:
			first = cmpError(first, fault.New(fault.Invalid, "“"+name+"” must be a string.", "").At(name))
		default:
			first = cmpError(first, f.add(name, "", []byte(text), limit))
		}
	}
	return first
}

func (f *Form) add(name, file string, content []byte, limit Limit) error {
	_, value := f.Values[name]
	if _, upload := f.Files[name]; value || upload {
		return malformed(http.StatusBadRequest, fmt.Errorf("field %q was sent twice", name))
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
			return fault.New(fault.Invalid, "This is not UTF-8 text.", "Send it as UTF-8.").At(name)
		}
	}
	if size > limit.Most {
		return tooLarge(name, limit.Most)
	}
	return nil
}

func tooLarge(field string, most int64) *fault.Error {
	return fault.New(fault.TooLarge, "This is too large: at most "+size(most)+" are taken.", "Nothing was stored. Send less.").At(field)
}

// cmpError keeps the first error.
func cmpError(first, next error) error {
	if first != nil {
		return first
	}
	return next
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
		return &unreadable{fault.Wrap(fault.TooLarge, err, "What you sent is too large: a form takes at most "+size(tooLong.Limit)+".", "Nothing was stored. Send less.")}
	}
	var already *statusFault
	if errors.As(err, &already) {
		return &unreadable{err}
	}
	return &unreadable{malformed(http.StatusBadRequest, err)}
}
