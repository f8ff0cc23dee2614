package imagetest

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Archive is the OCI archive of an image, as a build leaves it: the names first.
func Archive(t testing.TB, img v1.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	add := func(name string, data []byte, err error) {
		t.Helper()
		if err == nil {
			err = w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data))})
		}
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	blob := func(h v1.Hash) string { return "blobs/sha256/" + h.Hex }
	manifest, err := img.RawManifest()
	digest, _ := img.Digest()
	add("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`), nil)
	index := fmt.Appendf(nil, `{"schemaVersion":2,"manifests":[{"digest":"%s","size":%d}]}`, digest, len(manifest))
	add("index.json", index, nil)
	add(blob(digest), manifest, err)
	config, err := img.RawConfigFile()
	name, _ := img.ConfigName()
	add(blob(name), config, err)
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		data, err := l.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(data)
		digest, _ := l.Digest()
		add(blob(digest), text, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
