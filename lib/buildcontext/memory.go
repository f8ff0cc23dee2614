package buildcontext

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
)

// Memory keeps small files by their SHA-256, lower-case hex: a Source and a Sink.
type Memory map[string][]byte

// Put implements Sink.
func (m Memory) Put(r io.Reader, size int64) (string, int64, error) {
	var data bytes.Buffer
	data.Grow(int(min(max(size, 0), 1<<20)) + bytes.MinRead) // what an archive says of a size need not be true
	if _, err := data.ReadFrom(r); err != nil {
		return "", 0, err
	}
	return m.Add(data.Bytes()), int64(data.Len()), nil
}

// Add keeps a file, and returns its SHA-256.
func (m Memory) Add(data []byte) string {
	sum := sha256.Sum256(data)
	text := hex.EncodeToString(sum[:])
	m[text] = data
	return text
}

// Open implements Source; a file that is not there is fs.ErrNotExist.
func (m Memory) Open(sha256 string) (io.ReadCloser, error) {
	data, ok := m[sha256]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}
