package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"unicode/utf8"

	"toaster.do/lib/buildcontext"
)

// entry is an entry of a manifest in JSON. What is no UTF-8 is Base64, under another name.
type entry struct {
	Path       string            `json:"path,omitempty"`
	Path64     []byte            `json:"path64,omitempty"`
	Type       buildcontext.Type `json:"type"`
	Mode       int64             `json:"mode"`
	Size       int64             `json:"size"`
	SHA256     string            `json:"sha256,omitempty"`
	Link       string            `json:"link,omitempty"`
	Link64     []byte            `json:"link64,omitempty"`
	Hardlink   string            `json:"hardlink,omitempty"`
	Hardlink64 []byte            `json:"hardlink64,omitempty"`
	Time       int64             `json:"time"`
	Xattrs     map[string][]byte `json:"xattrs,omitempty"`
}

func entryOf(e *buildcontext.Entry) entry {
	out := entry{Type: e.Type, Mode: e.Mode, Size: e.Size, SHA256: e.SHA256, Time: e.Time}
	put := func(s string, text *string, bytes *[]byte) {
		if utf8.ValidString(s) {
			*text = s
		} else {
			*bytes = []byte(s)
		}
	}
	put(e.Path, &out.Path, &out.Path64)
	put(e.Link, &out.Link, &out.Link64)
	put(e.Hardlink, &out.Hardlink, &out.Hardlink64)
	for key, value := range e.Xattrs {
		if out.Xattrs == nil {
			out.Xattrs = map[string][]byte{}
		}
		out.Xattrs[key] = []byte(value)
	}
	return out
}

// writeManifest writes the body of POST /jobs/contexts: all entries, or what is changed in the context that the
// site has, base; "": it has none.
func writeManifest(w io.Writer, entries []buildcontext.Entry, base string) error {
	b := bufio.NewWriterSize(w, 64<<10)
	if b.WriteByte('{'); base != "" {
		b.WriteString(`"base":"` + base + `",`)
	}
	b.WriteString(`"entries":[`)
	to := json.NewEncoder(b)
	to.SetEscapeHTML(false)
	for i := range entries {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := to.Encode(entryOf(&entries[i])); err != nil {
			return err
		}
	}
	b.WriteString("]}\n")
	return b.Flush()
}

// changes lists what makes the one manifest of the other: entries, and those of the type "gone".
func changes(old, now []buildcontext.Entry) (list []buildcontext.Entry) {
	for len(old) > 0 || len(now) > 0 {
		switch {
		case len(now) == 0 || len(old) > 0 && old[0].Path < now[0].Path:
			list, old = append(list, buildcontext.Entry{Path: old[0].Path, Type: "gone"}), old[1:]
		case len(old) == 0 || now[0].Path < old[0].Path:
			list, now = append(list, now[0]), now[1:]
		default:
			if !reflect.DeepEqual(old[0], now[0]) {
				list = append(list, now[0])
			}
			old, now = old[1:], now[1:]
		}
	}
	return list
}

// manifestAnswer says which files the site lacks.
type manifestAnswer struct {
	Context string   `json:"context"`
	Missing []string `json:"missing"`
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// announce sends the manifest; of one like that of the last time, which the site has, only what is changed.
func (c *client) announce(ctx context.Context, m, old *buildcontext.Manifest) (*manifestAnswer, error) {
	if old == nil {
		return c.announceEntries(ctx, m, m.Entries, "")
	}
	a, err := c.announceEntries(ctx, m, changes(old.Entries, m.Entries), "sha256:"+old.Digest())
	var p *problem
	if asProblem(err, &p) && p.Status >= 400 && p.Status < 500 && p.Status != http.StatusRequestEntityTooLarge {
		return c.announceEntries(ctx, m, m.Entries, "") // it has it no more
	}
	return a, err
}

// announceEntries sends entries as they are written: CGI needs their length before.
func (c *client) announceEntries(ctx context.Context, m *buildcontext.Manifest, entries []buildcontext.Entry,
	base string) (*manifestAnswer, error) {
	var size counter
	if err := writeManifest(&size, entries, base); err != nil {
		return nil, err
	}
	a, err := c.do(ctx, call{method: http.MethodPost, path: "/jobs/contexts", kind: "application/json", size: size.n,
		body: func() (io.ReadCloser, error) {
			r, w := io.Pipe()
			go func() { w.CloseWithError(writeManifest(w, entries, base)) }()
			return r, nil
		}})
	if err != nil {
		return nil, err
	}
	out := new(manifestAnswer)
	if err := a.decode(c, out); err != nil {
		return nil, err
	}
	if out.Context != "sha256:"+m.Digest() {
		return nil, errors.New("the site has read another context than was sent")
	}
	return out, nil
}
