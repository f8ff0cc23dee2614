package auth

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// A breached password's line: the SHA-1 in hexadecimal, and perhaps a colon and how often it was seen.
const (
	digestLength = 2 * sha1.Size
	longestLine  = digestLength + 32
)

// CheckBreached is an error where the configuration names a list of breached passwords that can't be used.
func (a *Accounts) CheckBreached() error {
	if a.cfg.Signup.Breached == "" {
		return nil
	}
	_, err := breached(a.cfg.Signup.Breached, "")
	return err
}

// breached tells whether a password is in a sorted file of such lines, by halving: a file of 40 GB takes some 30 reads.
func breached(path, password string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return false, err
	}
	digest := sha1.Sum([]byte(password))
	wanted := strings.ToUpper(hex.EncodeToString(digest[:]))
	// The line, if there is one, begins at or after low, and before high.
	for low, high := int64(0), end; low < high; {
		line, at, err := lineFrom(f, (low+high)/2)
		if err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
		if at >= high { // none begins in the upper half
			high = (low + high) / 2
			continue
		}
		switch got := strings.ToUpper(string(line[:digestLength])); {
		case got == wanted:
			return true, nil
		case got < wanted:
			low = at + 1
		default:
			high = (low + high) / 2
		}
	}
	return false, nil
}

var errNoList = errors.New("not a list of SHA-1 hashes, one per line")

// lineFrom returns the first line that begins at an offset or after it, and where; at the end of the file where none
// does.
func lineFrom(f *os.File, offset int64) (line []byte, at int64, err error) {
	from := max(0, offset-1) // a line begins after the end of the one before
	b := make([]byte, 2*longestLine)
	n, err := f.ReadAt(b, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	at = from
	if offset > 0 {
		skip := bytes.IndexByte(b[:n], '\n')
		switch {
		case skip < 0 && n == len(b):
			return nil, 0, errNoList
		case skip < 0:
			return nil, from + int64(n), nil
		}
		b, n, at = b[skip+1:], n-skip-1, from+int64(skip+1)
	}
	b = b[:n]
	if len(b) == 0 {
		return nil, at, nil
	}
	if _, err := hex.DecodeString(string(b[:min(len(b), digestLength)])); err != nil || len(b) < digestLength {
		return nil, 0, errNoList
	}
	return b, at, nil
}
