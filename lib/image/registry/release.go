package registry

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"toaster.do/lib/image"
)

// Bounds of a look into layers: Debian's have it within 30 MiB of gzip.
const (
	mostLooked   = 3         // layers, from the lowest
	mostFetched  = 256 << 20 // bytes of a layer, as it is fetched
	mostUnpacked = 1 << 30   // and unpacked
	largestFacts = 16 << 10  // of os-release
)

// release looks for os-release in the lowest layers. Where it is not found in time, or a layer can't be read, nothing is
// known. What came is not compared with its digest, as it is not read to its end: the build does that, and looks again.
func (s *session) release(ctx context.Context, layers []image.Layer) image.Release {
	for _, l := range layers[:min(len(layers), mostLooked)] {
		resp, err := s.open(ctx, "blobs", l.Digest, mostFetched)
		if err != nil {
			return image.Release{}
		}
		found, ok := readRelease(resp.Body)
		resp.Body.Close()
		if ok {
			return found
		}
	}
	return image.Release{}
}

// readRelease reads a layer until it has os-release.
func readRelease(layer io.Reader) (found image.Release, ok bool) {
	in, err := unpacked(bufio.NewReader(layer))
	if err != nil {
		return image.Release{}, false
	}
	defer in.Close()
	for files := tar.NewReader(io.LimitReader(in, mostUnpacked)); ; {
		h, err := files.Next()
		if err != nil {
			return image.Release{}, false
		}
		switch name := path.Clean("/" + h.Name); {
		case name != "/etc/os-release" && name != "/usr/lib/os-release", h.Typeflag != tar.TypeReg, h.Size > largestFacts:
			continue
		}
		text, err := io.ReadAll(files)
		if err != nil {
			return image.Release{}, false
		}
		return parseRelease(string(text)), true
	}
}

// unpacked is what a layer holds, by what it begins with.
func unpacked(layer *bufio.Reader) (io.ReadCloser, error) {
	begin, err := layer.Peek(4)
	switch {
	case err != nil:
		return nil, err
	case bytes.HasPrefix(begin, []byte{0x1f, 0x8b}):
		return gzip.NewReader(layer)
	case bytes.Equal(begin, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		d, err := zstd.NewReader(layer, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return io.NopCloser(layer), nil
}

// parseRelease reads os-release(5).
func parseRelease(text string) image.Release {
	value := map[string]string{}
	for line := range strings.Lines(text) {
		key, word, _ := strings.Cut(strings.TrimSpace(line), "=")
		value[key] = strings.Trim(word, `"'`)
	}
	r := image.Release{Distribution: value["ID"], Codename: value["VERSION_CODENAME"]}
	if !r.Valid() {
		return image.Release{}
	}
	return r
}
