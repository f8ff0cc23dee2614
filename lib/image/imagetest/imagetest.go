// Package imagetest is a registry on loopback for tests, and images to put there.
package imagetest

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Serve starts a registry, and returns its HOST:PORT.
func Serve(t testing.TB) string {
	t.Helper()
	host, _ := Count(t)
	return host
}

// Count is Serve that counts the requests.
func Count(t testing.TB) (host string, requests *atomic.Int64) {
	t.Helper()
	requests = new(atomic.Int64)
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), requests
}

// Image makes an image for a platform, whose layers hold these texts.
func Image(t testing.TB, platform string, c v1.Config, layers ...string) v1.Image {
	t.Helper()
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	for _, text := range layers {
		layer := static.NewLayer(bytes.Repeat([]byte(text), 10), types.OCILayer)
		must(t, func() (err error) { img, err = mutate.AppendLayers(img, layer); return err })
	}
	p := Platform(t, platform)
	must(t, func() (err error) {
		img, err = mutate.ConfigFile(mutate.ConfigMediaType(img, types.OCIConfigJSON), &v1.ConfigFile{
			OS: p.OS, Architecture: p.Architecture, Variant: p.Variant, Config: c, RootFS: v1.RootFS{Type: "layers"}})
		return err
	})
	return img
}

// Index puts images together, each under the platform of the same place.
func Index(t testing.TB, platforms []string, images ...v1.Image) v1.ImageIndex {
	t.Helper()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for i, img := range images {
		p := Platform(t, platforms[i])
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &p}})
	}
	return index
}

// Push stores an image or an index under a reference, and returns its digest.
func Push(t testing.TB, reference string, what remote.Taggable) string {
	t.Helper()
	ref, err := name.ParseReference(reference, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	pusher, err := remote.NewPusher()
	if err != nil {
		t.Fatal(err)
	}
	if err := pusher.Push(t.Context(), ref, what); err != nil {
		t.Fatal(err)
	}
	return Digest(t, what)
}

// Digest is the digest of an image or an index.
func Digest(t testing.TB, what remote.Taggable) string {
	t.Helper()
	text, err := what.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := v1.SHA256(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

// Platform reads OS/ARCHITECTURE[/VARIANT].
func Platform(t testing.TB, s string) v1.Platform {
	t.Helper()
	p, err := v1.ParsePlatform(s)
	if err != nil {
		t.Fatal(err)
	}
	return *p
}

func must(t testing.TB, do func() error) {
	t.Helper()
	if err := do(); err != nil {
		t.Fatal(err)
	}
}
