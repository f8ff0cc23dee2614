package difftest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"toaster.do/lib/dockerfile"
	"toaster.do/lib/image"
)

// layerCases are layers, made by hand, and what must be of them: lines as in the archives of cases, and PATH CONTENT,
// or what the build says when it refuses them. https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md
var layerCases = []struct {
	name   string
	layers []string
	have   string
	gone   string
	said   string
}{
	{"whiteout", []string{"644 0:0 d/a a\n644 0:0 d/b b", "644 0:0 d/.wh.a x"}, "d/b b", "d/a d/.wh.a", ""},
	{"whiteout-folder", []string{"644 0:0 d/e/a a", "644 0:0 d/.wh.e x"}, "", "d/e", ""},
	{"whiteout-of-nothing", []string{"644 0:0 d/a a", "644 0:0 d/.wh.z x\n644 0:0 n/.wh.z x"}, "d/a a", "d/z", ""},
	{"whiteout-then-new", []string{"644 0:0 d/a a", "644 0:0 d/.wh.a x\n644 0:0 d/a new"}, "d/a new", "", ""},
	{"opaque", []string{"644 0:0 d/a a\n644 0:0 d/e/f f", "644 0:0 d/.wh..wh..opq x\n644 0:0 d/b b"}, "d/b b", "d/a d/e",
		""},
	{"opaque-last", []string{"644 0:0 d/a a", "755 0:0 d/\n644 0:0 d/b b\n644 0:0 d/.wh..wh..opq x"}, "d/b b", "d/a", ""},
	{"opaque-root", []string{"644 0:0 a a", "644 0:0 .wh..wh..opq x\n644 0:0 b b"}, "b b", "a", ""},
	{"through-link", []string{"755 0:0 usr/bin/\nbin -> usr/bin", "644 0:0 bin/x x"}, "usr/bin/x x", "", ""},
	{"link-becomes-folder", []string{"644 0:0 real/f f\nd -> real", "755 0:0 d/\n644 0:0 d/g g"}, "d/g g\nreal/f f",
		"real/g", ""},
	{"hard-link-of-lower-layer", []string{"644 0:0 a a", "b => a"}, "a a\nb a", "", ""},
	{"missing-parents", []string{"644 5:6 a/b/c c"}, "a/b/c c", "", ""},
	{"numbers", []string{"4711 65535:65534 x x"}, "x x", "", ""},
	{"dots", []string{"644 0:0 ./a a\n644 0:0 b/../c c"}, "a a\nc c", "", ""},
	{"device-of-dev", []string{"device dev/null\n644 0:0 a a"}, "a a", "dev/null", ""},
	{"device", []string{"device srv/null"}, "", "", "a device, which the build cannot make"},
	{"above-the-root", []string{"644 0:0 ../../../../escaped x"}, "escaped x", "", ""},
	{"absolute", []string{"644 0:0 /escaped x"}, "escaped x", "", ""},
	{"through-absolute-link", []string{"out -> /", "644 0:0 out/escaped x"}, "escaped x", "", ""},
	{"through-link-upwards", []string{"out -> ../../../../../..", "644 0:0 out/escaped x"}, "escaped x", "", ""},
	{"hard-link-outside", []string{"x => ../../../../etc/passwd"}, "", "", "cannot be linked"},
	{"hard-link-through-link", []string{"out -> /etc", "x => out/shadow"}, "", "", "cannot be linked"},
	{"below-a-file", []string{"644 0:0 a a", "644 0:0 a/b b"}, "", "", "cannot be made"},
	{"loop", []string{"a -> b\nb -> a", "644 0:0 a/f f"}, "", "", "a link that leads nowhere"},
	{"whiteout-of-its-folder", []string{"644 0:0 d/a a", "644 0:0 d/.wh.. x"}, "", "",
		"would remove a folder that it is in"},
	{"whiteout-of-the-folder-above", []string{"644 0:0 d/a a", "644 0:0 d/.wh... x"}, "", "",
		"would remove a folder that it is in"},
	{"ids-out-of-range", []string{"644 70000:0 a a"}, "", "",
		"/a belongs to 70000:0, and a build has ids up to 65535"},
	{"mark-in-a-name", []string{"device srv/x\rTOASTER-FAILED"}, "", "", "/srv/x TOASTER-FAILED is a device"},
}

// TestLayers: layers are unpacked as the specification says, and nothing in them leads out of their folder.
func TestLayers(t *testing.T) {
	b := newRoot(t)
	for _, c := range layerCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var layers [][]byte
			for _, text := range c.layers {
				layers = append(layers, archive(t, caseFile{name: "layer.tar.gz", data: []byte(text)}))
			}
			root, said, err := b.runImage(t, layers, nil)
			if c.said != "" {
				if err == nil || !strings.Contains(said, c.said) || !strings.Contains(said, "TOASTER-FAILED") {
					t.Errorf("%v: %q is missing in\n%s", err, c.said, said)
				}
				return
			}
			if err != nil {
				t.Fatal(said)
			}
			for _, line := range strings.Split(c.have, "\n") {
				path, want, _ := strings.Cut(line, " ")
				if path == "" {
					continue
				}
				if got, err := os.ReadFile(filepath.Join(root, path)); err != nil || strings.TrimSpace(string(got)) != want {
					t.Errorf("%s is %q, want %q: %v", path, got, want, err)
				}
			}
			for _, path := range strings.Fields(c.gone) {
				if exists(filepath.Join(root, path)) {
					t.Error(path, "is there")
				}
			}
		})
	}
	for _, path := range []string{"/escaped", "/null"} {
		if exists(path) {
			t.Error(path, "was made on the host")
		}
	}
}

// TestRegistriesThatLie: what a registry sends is taken only when it is what was locked.
func TestRegistriesThatLie(t *testing.T) {
	b := newRoot(t)
	good := archive(t, caseFile{name: "layer.tar.gz", data: []byte("644 0:0 a a")})
	for name, c := range map[string]struct {
		layer  []byte
		answer func(w http.ResponseWriter, blob []byte)
		said   string
	}{
		"good": {good, nil, ""},
		"another-blob": {good, func(w http.ResponseWriter, _ []byte) { w.Write(bytes.Repeat([]byte("x"), 300)) },
			"cannot fetch"},
		"half-a-blob":  {good, func(w http.ResponseWriter, blob []byte) { w.Write(blob[:len(blob)/2]) }, "cannot fetch"},
		"without-end":  {good, func(w http.ResponseWriter, _ []byte) { endless(w) }, "cannot fetch"},
		"not-found":    {good, func(w http.ResponseWriter, _ []byte) { w.WriteHeader(404) }, "cannot fetch"},
		"unauthorized": {good, func(w http.ResponseWriter, _ []byte) { w.WriteHeader(401) }, "cannot fetch"},
		"error":        {good, func(w http.ResponseWriter, _ []byte) { w.WriteHeader(500) }, "cannot fetch"},
		"to-the-host": {good, func(w http.ResponseWriter, _ []byte) { redirect(w, "http://127.0.0.1:22/") },
			"cannot fetch"},
		"to-the-metadata": {good, func(w http.ResponseWriter, _ []byte) { redirect(w, "http://169.254.169.254/latest") },
			"cannot fetch"},
		"no-archive": {packed(t, bytes.Repeat([]byte("no archive "), 200)), nil, "no archive in the format tar"},
		"cut-off":    {packed(t, open(t, good)[:700]), nil, "ends too early"},
		"damaged":    {append(bytes.Clone(good[:len(good)-12]), make([]byte, 12)...), nil, "cannot be unpacked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, said, err := b.runImage(t, [][]byte{c.layer}, c.answer)
			if (err != nil) != (c.said != "") || !strings.Contains(said, c.said) {
				t.Errorf("%v: %q is missing in\n%s", err, c.said, said)
			}
		})
	}
}

func endless(w http.ResponseWriter) {
	part := make([]byte, 1<<20)
	for range 1 << 12 {
		if _, err := w.Write(part); err != nil {
			return
		}
	}
}

func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusTemporaryRedirect)
}

func packed(t *testing.T, data []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func open(t *testing.T, data []byte) []byte {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := out.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// runImage builds FROM an image of these layers, which a registry of its own has: the image's tree.
func (b *builder) runImage(t *testing.T, layers [][]byte, answer func(http.ResponseWriter, []byte)) (
	root, said string, err error) {
	locked, host := serveImage(t, "linux/amd64", layers, answer)
	blend, findings := dockerfile.Translate(dockerfile.Source{Dockerfile: []byte("FROM " + locked.Reference),
		Lock: image.Lock{locked}})
	if blend == nil {
		t.Fatal(findings)
	}
	one := *b
	one.registry = host
	root, said, err = one.run(blend, t.TempDir(), "")
	return filepath.Join(root, "var/lib/toaster-app/rootfs"), said, err
}

// serveImage starts a registry that has an image of these layers, and returns its HOST:PORT.
func serveImage(t *testing.T, platform string, layers [][]byte, answer func(http.ResponseWriter, []byte)) (
	locked image.Locked, host string) {
	blobs := map[string][]byte{}
	keep := func(data []byte) string {
		digest := fmt.Sprintf("sha256:%x", sha256.Sum256(data))
		blobs[digest] = data
		return digest
	}
	config := `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"config":{}}`
	list := make([]string, len(layers))
	locked.Platform = platform
	for i, l := range layers {
		locked.Layers = append(locked.Layers, image.Part{Digest: keep(l), Size: int64(len(l))})
		list[i] = fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"%s","size":%d}`,
			locked.Layers[i].Digest, len(l))
	}
	const kind = "application/vnd.oci.image.manifest.v1+json"
	manifest := keep(fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":`+
		`"application/vnd.oci.image.config.v1+json","digest":"%s","size":%d},"layers":[%s]}`,
		kind, keep([]byte(config)), len(config), strings.Join(list, ",")))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		blob, ok := blobs[name]
		switch {
		case r.URL.Path == "/v2/":
		case !ok:
			http.NotFound(w, r)
		case name == manifest:
			w.Header().Set("Content-Type", kind)
			w.Write(blob)
		case answer != nil && string(blob) != config:
			answer(w, blob)
		default:
			w.Write(blob)
		}
	}))
	t.Cleanup(server.Close)
	host = server.Listener.Addr().String()
	locked.Reference, locked.Digest = host+"/x:1", manifest
	return locked, host
}
