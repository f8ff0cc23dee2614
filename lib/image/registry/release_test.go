package registry

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"

	"toaster.do/lib/image"
	"toaster.do/lib/image/imagetest"
)

// archive is a layer with these files, each as NAME and text; a name that ends in > is a link.
func archive(files ...string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		h := &tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1]))}
		if name, ok := strings.CutSuffix(files[i], ">"); ok {
			h = &tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: files[i+1]}
		}
		w.WriteHeader(h)
		if h.Size > 0 {
			w.Write([]byte(files[i+1]))
		}
	}
	w.Close()
	return b.Bytes()
}

func zipped(text []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(text)
	w.Close()
	return b.Bytes()
}

const bookworm = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n"

// What an image is made of is known by its history, else by what its lowest layers hold.
func TestTheReleaseOfABase(t *testing.T) {
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	debian := image.Release{Distribution: "debian", Codename: "bookworm"}
	filler := strings.Repeat("x", 1<<20)
	whole := archive("bin/x", filler, "etc/os-release>", "../usr/lib/os-release", "./usr/lib/os-release", bookworm)
	for name, c := range map[string]struct {
		history string
		layers  [][]byte
		want    image.Release
	}{
		"debuerreotype": {"# debian.sh --arch 'amd64' out/ 'trixie' '@1732406400'", [][]byte{whole},
			image.Release{Distribution: "debian", Codename: "trixie"}},
		"gzip":             {"", [][]byte{zipped(whole)}, debian},
		"zstd":             {"", [][]byte{encoder.EncodeAll(whole, nil)}, debian},
		"plain":            {"", [][]byte{whole}, debian},
		"the second layer": {"", [][]byte{zipped(archive("a", "b")), zipped(whole)}, debian},
		"the fourth layer": {"", [][]byte{archive("a", "1"), archive("a", "2"), archive("a", "3"), whole},
			image.Release{}},
		"alpine": {"", [][]byte{archive("etc/os-release", "ID=alpine\nVERSION_ID=3.20.0\n")},
			image.Release{Distribution: "alpine"}},
		"single quotes": {"", [][]byte{archive("etc/os-release", "ID='devuan'\nVERSION_CODENAME='daedalus'")},
			image.Release{Distribution: "devuan", Codename: "daedalus"}},
		"no words":         {"", [][]byte{archive("etc/os-release", "ID=$(id)\nVERSION_CODENAME=bookworm")}, image.Release{}},
		"too long":         {"", [][]byte{archive("etc/os-release", bookworm+filler)}, image.Release{}},
		"another file":     {"", [][]byte{archive("srv/usr/lib/os-release", bookworm)}, image.Release{}},
		"broken off":       {"", [][]byte{zipped(whole)[:200]}, image.Release{}},
		"no archive":       {"", [][]byte{[]byte("this is none")}, image.Release{}},
		"nothing":          {"", [][]byte{{}}, image.Release{}},
		"without a layer":  {"", nil, image.Release{}},
		"history of ours":  {"RUN # debian.sh --arch 'amd64' out/ 'trixie'", [][]byte{archive("a", "b")}, image.Release{}},
		"a bomb of gzip":   {"", [][]byte{zipped(bytes.Repeat([]byte{0}, 64<<20))}, image.Release{}},
		"a bomb of a file": {"", [][]byte{zipped(archive("a", strings.Repeat("\x00", 64<<20)))}, image.Release{}},
	} {
		t.Run(name, func(t *testing.T) {
			host := imagetest.Serve(t)
			img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
			for _, l := range c.layers {
				img, err = mutate.AppendLayers(img, static.NewLayer(l, types.OCILayer))
				if err != nil {
					t.Fatal(err)
				}
			}
			file := &v1.ConfigFile{OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"}}
			if c.history != "" {
				file.History = []v1.History{{CreatedBy: c.history}, {CreatedBy: "RUN x"}}
			}
			img, err := mutate.ConfigFile(mutate.ConfigMediaType(img, types.OCIConfigJSON), file)
			if err != nil {
				t.Fatal(err)
			}
			imagetest.Push(t, host+"/base:1", img)
			w := image.Want{Reference: host + "/base:1", Platform: "linux/amd64"}
			lock, problems := client(host).LookUp(t.Context(), []image.Want{w}, w)
			if len(problems) > 0 || lock[0].Release != c.want {
				t.Errorf("%+v %v, want %+v", lock, problems, c.want)
			}
			lock, _ = client(host).LookUp(t.Context(), []image.Want{w}, image.Want{})
			if c.history == "" && lock[0].Release != (image.Release{}) {
				t.Error("a layer was looked into for an image that is no base")
			}
		})
	}
}
