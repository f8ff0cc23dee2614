package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"toaster.do/lib/image/imagetest"
)

// TestOnAnImageOfARegistry: a Dockerfile that stands on an image of a registry, and copies from another, becomes an
// image that boots a system and runs it. What the registry has by then makes no difference.
func TestOnAnImageOfARegistry(t *testing.T) {
	host := imagetest.Serve(t)
	small := imagetest.Push(t, host+"/small:1", imageOf(t, v1.Config{Env: []string{"FROM_IMAGE=yes"}, WorkingDir: "/srv",
		Cmd: []string{"/bin/app"}}, map[string]string{"etc/small-release": "1\n", "gone": "x"},
		map[string]string{".wh.gone": ""}))
	imagetest.Push(t, host+"/tools:1", imageOf(t, v1.Config{}, map[string]string{"bin/app": "tool\n"}))
	s := start(t, "insecure = []", `insecure = ["`+host+`"]`, "allow = []",
		`allow = ["10.0.2.2:`+host[strings.IndexByte(host, ':')+1:]+`"]`)
	s.logIn()
	resp := s.post("/jobs", url.Values{"target": {target}, "name": {"small"},
		"text": {"FROM " + host + "/small:1\nCOPY --from=" + host +
			"/tools:1 /bin/app /bin/app\nCOPY <<x /x\n$FROM_IMAGE\nx\n"}})
	s.status(resp, http.StatusCreated)
	location, err := resp.Location()
	if err != nil {
		t.Fatal(err)
	}
	job := location.Path
	imagetest.Push(t, host+"/small:1", imageOf(t, v1.Config{}, map[string]string{"etc/small-release": "2\n"}))

	s.status(s.post(job+"/start", nil), http.StatusAccepted)
	log := s.follow(job + "/builds/1/log")
	var j struct {
		State  string
		Images []struct{ Reference, Digest string }
		Builds []struct{ Artifacts []struct{ Path string } }
	}
	s.wait("the build's end", func() bool {
		s.json(job, &j)
		return j.State != "queued" && j.State != "running"
	})
	if j.State != "succeeded" {
		t.Fatalf("the build has %s; its log:\n%s", j.State, log)
	}
	if len(j.Images) != 2 || j.Images[0].Digest != small {
		t.Errorf("the images are %v, want %s", j.Images, small)
	}
	for _, a := range j.Builds[0].Artifacts {
		s.download(job + "/builds/1/artifacts/" + a.Path)
		if strings.HasSuffix(a.Path, ".tar.gz") {
			s.isAppliance(a.Path)
		}
	}
	provenance, _ := os.ReadFile(s.bin + "/provenance.json")
	if !strings.Contains(string(provenance), host+"/small@"+small) {
		t.Errorf("the provenance lacks the image:\n%s", provenance)
	}
}

// isAppliance looks for the Dockerfile's tree in a tarball.
func (s *toaster) isAppliance(name string) {
	s.Helper()
	got, text := s.entries(name)
	const root = "var/lib/toaster-app/rootfs/"
	for path, want := range map[string]string{"etc/small-release": "1\n", "bin/app": "tool\n", "x": "yes\n"} {
		if text[root+path] != want {
			s.Errorf("%s is %q, want %q", path, text[root+path], want)
		}
	}
	if got[root+"gone"] != nil || got["etc/small-release"] != nil || got["etc/toaster/stamp"] == nil ||
		got["etc/init.d/toaster-app"] == nil {
		s.Error("the tree of the Dockerfile and the system's are not apart, or not whole")
	}
}

// imageOf makes an image whose layers have these files.
func imageOf(t *testing.T, c v1.Config, layers ...map[string]string) v1.Image {
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	for _, files := range layers {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		w := tar.NewWriter(z)
		for name, text := range files {
			if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text))}); err != nil {
				t.Fatal(err)
			}
			w.Write([]byte(text))
		}
		w.Close()
		z.Close()
		var err error
		if img, err = mutate.AppendLayers(img, static.NewLayer(out.Bytes(), types.OCILayer)); err != nil {
			t.Fatal(err)
		}
	}
	img, err := mutate.ConfigFile(mutate.ConfigMediaType(img, types.OCIConfigJSON), &v1.ConfigFile{OS: "linux",
		Architecture: "amd64", Config: c, RootFS: v1.RootFS{Type: "layers"}})
	if err != nil {
		t.Fatal(err)
	}
	return img
}
