// Package buildcontext is what a build context consists of: its manifest, and the files that it names by their SHA-256.
// It imports nothing that a person's own machine does not have.
package buildcontext

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"toaster.do/lib/apperr"
)

// Type is what an entry of a context is.
type Type string

const (
	File  Type = "file"
	Dir   Type = "dir"
	Link  Type = "link"  // symbolic
	Fifo  Type = "fifo"  // a named pipe
	Other Type = "other" // a device, or a link to nowhere: it can be there, and not be copied
)

// Entry is a file, folder, link or pipe of a context.
type Entry struct {
	Path     string // relative, clean, with slashes; any bytes but NUL. The root is "", if it is there
	Type     Type
	Mode     int64             // permissions with set-id and sticky bits
	Time     int64             // of its last change, Unix seconds
	Size     int64             // of a file: bytes
	SHA256   string            // of a file: lower-case hex
	Link     string            // of a symbolic link: its target, as it stands
	Hardlink string            // of a file: the path of the entry whose other name it is; all else is that one's
	Xattrs   map[string]string // extended attributes that builds keep, by the keys of PAX records ("SCHILY.xattr.user.x")
}

// Source opens a file of a context by its SHA-256, lower-case hex.
type Source interface {
	Open(sha256 string) (io.ReadCloser, error)
}

// Origin says where a context's entries come from: whether the only folder in its root may be what packed it.
type Origin string

const (
	FromFolder  Origin = ""        // a folder: its root is the context's
	FromArchive Origin = "archive" // an archive: all of it may be in one folder
	FromGit     Origin = "git"     // an archive of a commit, as forges make them: it is
)

// Manifest is a build context without its files' bytes.
type Manifest struct {
	Origin  Origin
	Entries []Entry // by path, in the order of bytes; no path twice
}

// Size is how many bytes the files have together: each name of a file counts.
func (m *Manifest) Size() (n int64) {
	for i := range m.Entries {
		n += m.Entries[i].Size
	}
	return n
}

// magic is the first word of the first line of an encoded manifest, with the format's number.
const magic = "toaster-context 1"

// Encode writes the manifest: equal manifests give equal bytes. Behind the first line, "toaster-context 1 [ORIGIN]",
// each entry is a line of words, in which bytes other than ! to ~, % and =, are %xx:
//
//	file  MODE TIME PATH SIZE SHA256 [XATTR=VALUE…]
//	dir   MODE TIME PATH [XATTR=VALUE…]
//	link  MODE TIME PATH TARGET
//	fifo  MODE TIME PATH
//	other MODE TIME PATH
//	hard  MODE TIME PATH TARGET
//
// MODE is octal, TIME is Unix seconds, and the root's PATH is ".".
func (m *Manifest) Encode(w io.Writer) error {
	b := bufio.NewWriterSize(w, 64<<10)
	fmt.Fprintln(b, strings.TrimSuffix(magic+" "+string(m.Origin), " "))
	var line []byte
	for i := range m.Entries {
		line = m.Entries[i].AppendLine(line[:0])
		b.Write(line)
	}
	return b.Flush()
}

// Digest is the context's: the SHA-256 of the encoded manifest, lower-case hex.
func (m *Manifest) Digest() string {
	h := sha256.New()
	_ = m.Encode(h) // a hash takes everything
	return hex.EncodeToString(h.Sum(nil))
}

// AppendLine appends the entry's line of an encoded manifest, with its line feed.
func (e *Entry) AppendLine(b []byte) []byte {
	kind := string(e.Type)
	if e.Hardlink != "" {
		kind = "hard"
	}
	b = append(append(b, kind...), ' ')
	b = append(strconv.AppendInt(b, e.Mode, 8), ' ')
	b = append(strconv.AppendInt(b, e.Time, 10), ' ')
	if e.Path == "" {
		b = append(b, '.')
	} else {
		b = appendWord(b, e.Path)
	}
	switch {
	case e.Hardlink != "":
		return append(appendWord(append(b, ' '), e.Hardlink), '\n')
	case e.Type == Link:
		return append(appendWord(append(b, ' '), e.Link), '\n')
	case e.Type == File:
		b = append(strconv.AppendInt(append(b, ' '), e.Size, 10), ' ')
		b = append(b, e.SHA256...)
	}
	for _, key := range slices.Sorted(maps.Keys(e.Xattrs)) {
		b = appendWord(append(b, ' '), key)
		b = appendWord(append(b, '='), e.Xattrs[key])
	}
	return append(b, '\n')
}

const hexDigits = "0123456789abcdef"

func appendWord(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c > ' ' && c < 0x7f && c != '%' && c != '=' {
			b = append(b, c)
		} else {
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return b
}

// ErrManifest is in the errors of a manifest that is none.
var ErrManifest = errors.New("not a manifest of a build context")

// maxLine is how long a line can be: a path, a link's target and attributes of 64 KiB, all encoded.
const maxLine = 1 << 20

// Decode reads an encoded manifest. It believes that it was written by Encode: see Check for entries of strangers.
func Decode(r io.Reader) (*Manifest, error) {
	b := bufio.NewReaderSize(r, maxLine)
	first, err := b.ReadSlice('\n')
	origin, ok := bytes.CutPrefix(bytes.TrimSuffix(first, []byte("\n")), []byte(magic))
	m := &Manifest{Origin: Origin(bytes.TrimPrefix(origin, []byte(" ")))}
	known := slices.Contains([]Origin{FromFolder, FromArchive, FromGit}, m.Origin)
	if err != nil || !ok || !known || len(origin) > 0 && origin[0] != ' ' {
		return nil, errors.Join(ErrManifest, err)
	}
	for n := 2; ; n++ {
		line, err := b.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			return m, nil
		}
		var e Entry
		if err == nil {
			e, err = parseLine(string(line[:len(line)-1]))
		}
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrManifest, n, err)
		}
		m.Entries = append(m.Entries, e)
	}
}

func parseLine(line string) (e Entry, err error) {
	var words [6]string
	n, rest := 0, line
	for more := true; more && n < len(words); n++ {
		words[n], rest, more = strings.Cut(rest, " ")
	}
	var errs [4]error
	e.Type = Type(words[0])
	e.Mode, errs[0] = strconv.ParseInt(words[1], 8, 64)
	e.Time, errs[1] = strconv.ParseInt(words[2], 10, 64)
	if e.Path, errs[2] = parseWord(words[3]); e.Path == "." {
		e.Path = ""
	}
	want := map[Type]int{File: 6, Dir: 4, Link: 5, Fifo: 4, Other: 4, "hard": 5}[e.Type]
	switch e.Type {
	case File:
		e.SHA256 = words[5]
		if e.Size, errs[3] = strconv.ParseInt(words[4], 10, 64); !IsSHA256(e.SHA256) {
			errs[3] = fmt.Errorf("%q is no SHA-256", e.SHA256)
		}
	case Link:
		e.Link, errs[3] = parseWord(words[4])
	case "hard":
		e.Type = File
		if e.Hardlink, errs[3] = parseWord(words[4]); e.Hardlink == "" {
			errs[3] = errors.New("a hard link to nothing")
		}
	case Dir:
		if n > want { // the words behind are attributes
			_, rest, _ = cutWords(line, want)
		}
	}
	if want == 0 || words[3] == "" || n < want || n > want && e.Type != Dir {
		errs[3] = fmt.Errorf("%d words", n)
	}
	if rest != "" {
		var err error
		e.Xattrs, err = parseXattrs(rest)
		errs[3] = errors.Join(errs[3], err)
	}
	return e, errors.Join(errs[:]...)
}

// IsSHA256 tells whether s can be a SHA-256: 64 lower-case hexadecimal digits.
func IsSHA256(s string) bool {
	return len(s) == 64 && strings.Trim(s, hexDigits) == ""
}

// cutWords cuts a line behind n words.
func cutWords(line string, n int) (before, after string, found bool) {
	at := 0
	for range n {
		i := strings.IndexByte(line[at:], ' ')
		if i < 0 {
			return line, "", false
		}
		at += i + 1
	}
	return line[:at-1], line[at:], true
}

func parseXattrs(text string) (map[string]string, error) {
	list := map[string]string{}
	for word := range strings.SplitSeq(text, " ") {
		key, value, ok := strings.Cut(word, "=")
		k, err := parseWord(key)
		v, err2 := parseWord(value)
		if err := errors.Join(err, err2); err != nil || !ok {
			return nil, fmt.Errorf("attribute %q: %w", word, err)
		}
		list[k] = v
	}
	return list, nil
}

func parseWord(s string) (string, error) {
	if !strings.Contains(s, "%") {
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", fmt.Errorf("%q is cut off", s)
		}
		c, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", err
		}
		b = append(b, byte(c))
		i += 2
	}
	return string(b), nil
}

// TooLarge is the error of a context that is over a limit of bytes.
func TooLarge(limit int64) error {
	return apperr.New(apperr.TooLarge, "The build context is larger than %d MiB.",
		"List files that the build does not need in .dockerignore.", limit>>20)
}
