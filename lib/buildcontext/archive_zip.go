package buildcontext

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"strings"
	"unicode/utf8"

	"toaster.do/lib/apperr"
)

func (a *archive) readZip(r io.ReaderAt, size int64) error {
	if a.limits.Entries > 0 && manyInZip(r, size, a.limits.Entries) {
		return TooMany(a.limits.Entries)
	}
	z, err := zip.NewReader(r, size)
	if err != nil {
		return err
	}
	if madeByGit(z.Comment) {
		a.origin = FromGit
	}
	for _, f := range z.File {
		name := zipName(f)
		if strings.Contains(name, `\`) && f.CreatorVersion>>8 != 3 { // made on Windows by a careless program
			name = strings.ReplaceAll(name, `\`, "/")
		}
		e, err := a.zipEntry(f, name)
		if err != nil {
			return err
		}
		if err := a.add(name, e); err != nil {
			return err
		}
	}
	return nil
}

// manyInZip tells whether the directory of a zip has far more entries than most, before package zip keeps them all in
// memory, whatever their number is said to be. Where the directory can be: APPNOTE.TXT, 4.3.14 to 4.3.16.
func manyInZip(r io.ReaderAt, size int64, most int) bool {
	end := make([]byte, min(size, 22+1<<16))
	if n, _ := r.ReadAt(end, size-int64(len(end))); n != len(end) {
		return false
	}
	at := bytes.LastIndex(end, []byte("PK\x05\x06"))
	if at < 0 || len(end)-at < 22 {
		return false
	}
	place := size - int64(len(end)-at) // of the end of the directory
	length, start := int64(binary.LittleEndian.Uint32(end[at+12:])), int64(binary.LittleEndian.Uint32(end[at+16:]))
	if at >= 20 && bytes.HasPrefix(end[at-20:], []byte("PK\x06\x07")) {
		big := make([]byte, 56)
		where := int64(binary.LittleEndian.Uint64(end[at-12:]))
		if n, _ := r.ReadAt(big, where); n == len(big) && bytes.HasPrefix(big, []byte("PK\x06\x06")) {
			place = where
			length, start = int64(binary.LittleEndian.Uint64(big[40:])), int64(binary.LittleEndian.Uint64(big[48:]))
		}
	}
	return headersFrom(r, start, size, 2*most) > 2*most || headersFrom(r, place-length, size, 2*most) > 2*most
}

// headersFrom counts the headers of a zip's directory that begins there, up to one more than most.
func headersFrom(r io.ReaderAt, start, size int64, most int) (n int) {
	if start < 0 || start >= size {
		return 0
	}
	b := bufio.NewReaderSize(io.NewSectionReader(r, start, size-start), 64<<10)
	for ; n <= most; n++ {
		h, err := b.Peek(46)
		if err != nil || !bytes.HasPrefix(h, []byte("PK\x01\x02")) {
			break
		}
		more := 0
		for _, at := range []int{28, 30, 32} { // name, extra fields, comment
			more += int(binary.LittleEndian.Uint16(h[at:]))
		}
		if _, err := b.Discard(46 + more); err != nil {
			break
		}
	}
	return n
}

// cp437 are the upper half of the characters of a ZIP's names that are not said to be UTF-8 (APPNOTE.TXT, appendix D).
const cp437 = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0"

// zipName is an entry's name. Programs of Unix write its bytes as they are, whatever they say of them.
func zipName(f *zip.File) string {
	if !f.NonUTF8 || utf8.ValidString(f.Name) || f.CreatorVersion>>8 == 3 {
		return f.Name
	}
	upper := []rune(cp437)
	var b strings.Builder
	for i := range len(f.Name) {
		if c := f.Name[i]; c < 0x80 {
			b.WriteByte(c)
		} else {
			b.WriteRune(upper[c-0x80])
		}
	}
	return b.String()
}

func (a *archive) zipEntry(f *zip.File, name string) (*node, error) {
	e := &node{Entry: Entry{Type: File, Mode: UnixMode(f.Mode()), Time: bounded(f.Modified.Unix())}}
	if f.CreatorVersion>>8 != 3 && f.CreatorVersion>>8 != 19 { // no Unix permissions inside
		e.Mode = 0o644
	}
	switch {
	case f.Mode().IsDir() || strings.HasSuffix(name, "/"):
		if e.Type = Dir; e.Mode == 0o644 {
			e.Mode = 0o755
		}
		return e, nil
	case f.Mode()&fs.ModeNamedPipe != 0:
		e.Type = Fifo
		return e, nil
	case f.Mode()&fs.ModeSymlink == 0 && !f.Mode().IsRegular():
		e.Type = Other
		return e, nil
	}
	if f.Flags&1 != 0 {
		return nil, apperr.New(apperr.InvalidArgument, "The archive of the build context is encrypted: %s.",
			"Pack it again without a password.", show(name))
	}
	r, err := f.Open()
	if errors.Is(err, zip.ErrAlgorithm) {
		return nil, apperr.New(apperr.InvalidArgument,
			"The archive of the build context has %s with an unsupported compression.",
			"Pack it again with the default compression (deflate), or as .tar.gz.", show(name))
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if size := int64(min(f.UncompressedSize64, 1<<62)); f.Mode()&fs.ModeSymlink == 0 {
		return e, a.put(e, name, r, size)
	}
	in, err := a.within(name, r, -1)
	if err != nil {
		return nil, err
	}
	target, err := io.ReadAll(io.LimitReader(in, maxTarget+1))
	e.symlink(string(target))
	return e, err
}
