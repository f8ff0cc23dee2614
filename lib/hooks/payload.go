package hooks

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
)

// Of a call's body, which may be MostBody long, little is kept at a time.
const (
	longest = 4 << 10 // bytes of a string or number; what follows is passed over
	deepest = 1000    // objects and lists in each other
)

var errPayload = errors.New("this is no JSON of a push")

// payload is what is looked for in a call's JSON.
type payload struct {
	ref, after, kind    string
	deleted             bool
	repository, project string // the default branch: of GitHub and Gitea; of GitLab
}

// readPayload reads the JSON of a body, which may be in a form. What is no JSON is empty: a plain call may have any.
func readPayload(h http.Header, body io.Reader) payload {
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	if kind == "application/x-www-form-urlencoded" { // as GitHub may send it
		b := bufio.NewReader(body)
		const field = "payload="
		if begin, _ := b.Peek(len(field)); string(begin) != field {
			return payload{}
		}
		b.Discard(len(field))
		body = unform{b}
	}
	var p payload
	d := json.NewDecoder(&slim{from: body})
	d.UseNumber()
	if p.read(d, nil) != nil {
		return payload{}
	}
	if _, err := d.Token(); err != io.EOF {
		return payload{}
	}
	return p
}

// read reads a value that is at a path of names.
func (p *payload) read(d *json.Decoder, path []string) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	p.set(path, t) // of two with one name, the last one counts
	begin, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	if len(path) == deepest {
		return errPayload
	}
	for d.More() {
		name := "[]" // of a list, none is looked for
		if begin == '{' {
			key, err := d.Token()
			if err != nil {
				return err
			}
			name, _ = key.(string)
		}
		if err := p.read(d, append(path, name)); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

func (p *payload) set(path []string, v any) {
	text, _ := v.(string)
	switch {
	case len(path) == 1:
		switch path[0] {
		case "ref":
			p.ref = text
		case "after":
			p.after = text
		case "type":
			p.kind = text
		case "deleted":
			p.deleted = v == true
		case "repository":
			p.repository = ""
		case "project":
			p.project = ""
		}
	case len(path) == 2 && path[1] == "default_branch":
		switch path[0] {
		case "repository":
			p.repository = text
		case "project":
			p.project = text
		}
	}
}

// unform reads the value of a form's field.
type unform struct{ from *bufio.Reader }

func (u unform) Read(b []byte) (n int, err error) {
	for ; n < len(b); n++ {
		c, err := u.from.ReadByte()
		if err != nil {
			return n, err
		}
		switch c {
		case '&': // the next field
			u.from.UnreadByte()
			return n, io.EOF
		case '+':
			c = ' '
		case '%':
			high, err := u.digit()
			low, again := u.digit()
			if err != nil || again != nil {
				return n, errPayload
			}
			c = high<<4 | low
		}
		b[n] = c
	}
	return n, nil
}

func (u unform) digit() (byte, error) {
	c, err := u.from.ReadByte()
	n := strings.IndexByte("0123456789abcdef", c|0x20)
	if err == nil && (n < 0 || c < '0') {
		err = errPayload
	}
	return byte(n), err
}

// slim passes JSON on, without what its reader would have to keep: of a long string or number the rest, of white space
// all but one byte.
type slim struct {
	from    io.Reader
	text    bool // it is in a string
	space   bool // the byte before was white space
	run     int  // bytes of the string or number so far
	escaped int  // bytes that may still belong to \n or \u0041
	kept    bool // which is passed on
}

// Read implements io.Reader.
func (s *slim) Read(b []byte) (n int, err error) {
	for n == 0 && err == nil && len(b) > 0 {
		var got int
		got, err = s.from.Read(b)
		for _, c := range b[:got] {
			if s.keeps(c) {
				b[n] = c
				n++
			}
		}
	}
	return n, err
}

func (s *slim) keeps(c byte) bool {
	space := s.space
	s.space = false
	switch {
	case s.escaped > 0:
		if s.escaped--; s.escaped == 4 && c != 'u' {
			s.escaped = 0
		}
		return s.kept
	case c == '"':
		s.text, s.run = !s.text, 0
		return true
	case s.text && c == '\\':
		s.escaped, s.kept = 5, s.run < longest
		return s.kept
	case s.text:
	case c == ' ', c == '\t', c == '\r', c == '\n':
		s.space, s.run = true, 0
		return !space
	case strings.IndexByte("{}[],:", c) >= 0:
		s.run = 0
		return true
	}
	s.run++
	return s.run <= longest
}
