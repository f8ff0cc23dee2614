package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"toaster.do/lib/buildcontext"
)

// marker is the file that says what a folder was downloaded from.
type marker struct {
	Site   string   `json:"site"`
	Job    string   `json:"job"`
	Name   string   `json:"name"`
	Target string   `json:"target"`
	Number int      `json:"number"`
	Files  []string `json:"files"`
}

func readMarker(dir string) (m marker) {
	if text, err := os.ReadFile(filepath.Join(dir, buildcontext.Downloaded)); err == nil {
		_ = json.Unmarshal(text, &m) // as if there were none
	}
	return m
}

// fetch downloads what a build left, or only the named files, into a folder, and verifies it.
func (w *world) fetch(c *client, o *order, b *build, dir string, only []string) error {
	list := b.Artifacts
	for _, name := range only {
		if !slices.ContainsFunc(list, func(a artifact) bool { return a.Path == name }) {
			return misused("%s left no file %s", o.title(), name)
		}
	}
	if len(only) > 0 {
		only = append(only, "SHA256SUMS", "SHA256SUMS.minisig")
		list = slices.DeleteFunc(slices.Clone(list), func(a artifact) bool { return !slices.Contains(only, a.Path) })
	}
	if len(list) == 0 {
		return failed(exitFailed, "", "%s left no files", o.title())
	}
	m := marker{c.URL, o.job, o.name, o.target, o.number, nil}
	total := int64(0)
	for _, a := range list {
		if !isLocal(a.Path) || a.SHA256 != "" && !buildcontext.IsSHA256(a.SHA256) {
			return failed(exitFailed, "", "the site names a file that can't be saved: %q", a.Path)
		}
		m.Files = append(m.Files, a.Path)
		total += a.Size
	}
	if err := m.write(dir); err != nil {
		return err
	}
	w.note("Downloading %s, %s, to %s", count(len(list), "file"), buildcontext.Bytes(total), dir)
	bar := w.bar("Downloading", total)
	for _, a := range list {
		if err := c.download(w.ctx, o, a, dir, bar); err != nil {
			bar.end()
			return err
		}
		w.event("artifact", map[string]any{"path": a.Path, "bytes": a.Size, "sha256": a.SHA256,
			"file": filepath.Join(dir, filepath.FromSlash(a.Path))})
	}
	bar.end()
	key := c.Key
	if key == "" && slices.ContainsFunc(list, func(a artifact) bool { return a.Path == "SHA256SUMS.minisig" }) {
		w.note("The site's public key is not known here, and fetched from the site: “toaster login” keeps it.")
		var err error
		if key, err = c.key(w.ctx); err != nil {
			return err
		}
	}
	return w.verify(dir, key, len(only) > 0)
}

// isLocal tells whether a path is one below a folder, on every system.
func isLocal(path string) bool {
	return filepath.IsLocal(filepath.FromSlash(path)) && !strings.ContainsAny(path, "\\:\x00") &&
		path != buildcontext.Downloaded
}

// write makes the folder that of the build: files that another one left are removed, and those of this one are kept.
func (m *marker) write(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	old := readMarker(dir)
	same := old.Site == m.Site && old.Job == m.Job && old.Number == m.Number
	for _, file := range old.Files {
		switch {
		case !isLocal(file) || slices.Contains(m.Files, file):
		case same:
			m.Files = append(m.Files, file)
		default:
			os.Remove(filepath.Join(dir, filepath.FromSlash(file)))
		}
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, buildcontext.Downloaded), append(text, '\n'), 0o666)
}

// transfer is a file that is being downloaded.
type transfer struct {
	artifact
	file *os.File
	sum  hash.Hash
	have int64
	most int64 // that it ever had: only what is beyond counts as progress
	bar  *bar
}

// download fetches a file. What is there of it already is not fetched again.
func (c *client) download(ctx context.Context, o *order, a artifact, dir string, bar *bar) error {
	path := filepath.Join(dir, filepath.FromSlash(a.Path))
	if sum, err := sumFile(ctx, path); err == nil && sum == a.SHA256 {
		bar.add(a.Size)
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	part := path + "." + cmp.Or(a.SHA256, "unknown")[:7] + ".part"
	t := &transfer{artifact: a, bar: bar}
	var err error
	if t.file, err = os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return err
	}
	defer t.file.Close()
	if err := t.resume(ctx); err != nil {
		return err
	}
	err = c.try(ctx, func(ctx context.Context) error { return c.receive(ctx, o, t) })
	if err == nil {
		err = errors.Join(t.file.Sync(), t.file.Close())
	}
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(t.sum.Sum(nil)); a.SHA256 != "" && got != a.SHA256 {
		os.Remove(part)
		return failed(exitFailed, "Download it again. If that does not help, tell the administrator of the site.",
			"the checksum of %s is wrong", a.Path)
	}
	return os.Rename(part, path)
}

// resume reads what is there of a file. Of one whose checksum is unknown nothing is believed.
func (t *transfer) resume(ctx context.Context) (err error) {
	if t.SHA256 == "" {
		return t.restart()
	}
	t.sum = sha256.New()
	t.have, err = io.Copy(t.sum, buildcontext.Interruptible(ctx, t.file))
	if err == nil && t.have > t.Size {
		return t.restart()
	}
	t.most = t.have
	t.bar.add(t.have)
	return err
}

func (t *transfer) restart() error {
	t.bar.add(-t.have)
	t.sum, t.have = sha256.New(), 0
	_, err := t.file.Seek(0, io.SeekStart)
	return errors.Join(err, t.file.Truncate(0))
}

// receive fetches what is missing of a file.
func (c *client) receive(ctx context.Context, o *order, t *transfer) error {
	if t.have == t.Size && t.have > 0 {
		return nil
	}
	k := call{method: http.MethodGet, path: o.path() + "/artifacts/" + escapePath(t.Path), header: http.Header{}}
	k.header.Set("Accept-Encoding", "identity")
	if t.have > 0 {
		k.header.Set("Range", fmt.Sprintf("bytes=%d-", t.have))
		k.header.Set("If-Range", `"`+t.SHA256+`"`)
	}
	r, still, err := c.open(ctx, k)
	if err != nil {
		return err
	}
	defer still.stop()
	defer r.Body.Close()
	switch r.StatusCode {
	case http.StatusPartialContent:
		if !strings.HasPrefix(r.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", t.have)) {
			return failed(exitFailed, "", "the site answers with another part of %s than was asked for", t.Path)
		}
	case http.StatusOK:
		if err := t.restart(); err != nil {
			return err
		}
	case http.StatusRequestedRangeNotSatisfiable:
		if err := t.restart(); err != nil {
			return err
		}
		return io.ErrUnexpectedEOF // from the beginning
	default:
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		return problemOf(c.URL, r, body)
	}
	c.reached.Store(true)
	if err = t.append(still.reader(r.Body)); err != nil && t.have > t.most {
		err = progressed{err}
	}
	t.most = max(t.most, t.have)
	return err
}

func (t *transfer) append(r io.Reader) error {
	buffer := make([]byte, 256<<10)
	for {
		n, err := r.Read(buffer)
		if n > 0 {
			if t.have+int64(n) > t.Size {
				return failed(exitFailed, "", "%s is larger than the site says", t.Path)
			}
			if _, err := t.file.Write(buffer[:n]); err != nil {
				return &failure{exitFailed, err.Error(), "Make room, and download it again: what is there is kept."}
			}
			t.sum.Write(buffer[:n])
			t.have += int64(n)
			t.bar.add(int64(n))
		}
		if err == io.EOF && t.have < t.Size {
			err = io.ErrUnexpectedEOF
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

func sumFile(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, buildcontext.Interruptible(ctx, f)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
