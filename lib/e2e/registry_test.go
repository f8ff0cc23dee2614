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

	j := s.builds(job)
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

// built is what a job's JSON says of its build.
type built struct {
	State  string
	Images []struct{ Reference, Digest string }
	Builds []struct{ Artifacts []struct{ Path string } }
}

// builds builds a job for the first time, which succeeds.
func (s *toaster) builds(job string) (j built) {
	s.Helper()
	s.status(s.post(job+"/start", nil), http.StatusAccepted)
	log := s.follow(job + "/builds/1/log")
	s.wait("the build's end", func() bool {
		s.json(job, &j)
		return j.State != "queued" && j.State != "running"
	})
	if j.State != "succeeded" {
		s.Fatalf("the build has %s; its log:\n%s", j.State, log)
	}
	return j
}

// TestOnABuildOfAnotherJob: a Dockerfile stands on what another of one's jobs has built, and copies from it. No network
// leads there.
func TestOnABuildOfAnotherJob(t *testing.T) {
	const host = "toaster.example.org:8080"
	s := start(t, `url = ""`, `url = "http://`+host+`"`)
	s.logIn()
	add := func(name, text string) string {
		t.Helper()
		resp := s.post("/jobs", url.Values{"target": {target}, "name": {name}, "text": {text}})
		s.status(resp, http.StatusCreated)
		location, err := resp.Location()
		if err != nil {
			t.Fatal(err)
		}
		return location.Path
	}
	base := add("base", "FROM debian:bookworm\nENV GREETING=hello\nWORKDIR /srv\nRUN echo base >/srv/base\n"+
		"CMD [\"cat\", \"/srv/upper\"]\n")
	s.builds(base)
	reference := host + base
	upper := add("upper", "FROM "+reference+":1\nRUN echo \"$GREETING $(cat base)\" >upper\nCOPY --from="+reference+
		" /etc/debian_version /copied\n")
	j := s.builds(upper)
	if len(j.Images) != 2 || j.Images[0].Digest != j.Images[1].Digest {
		t.Errorf("the images are %v", j.Images)
	}
	for _, a := range j.Builds[0].Artifacts {
		s.download(upper + "/builds/1/artifacts/" + a.Path)
	}
	_, text := s.entries(target + ".tar.gz")
	if text["srv/upper"] != "hello base\n" || text["copied"] != text["etc/debian_version"] || text["copied"] == "" {
		t.Errorf("/srv/upper is %q, /copied %q", text["srv/upper"], text["copied"])
	}
	config := sh(t, nil, "skopeo", "inspect", "--config", "--raw", "oci-archive:"+s.bin+"/"+target+".oci.tar")
	for _, want := range []string{`"GREETING=hello"`, `"Cmd":["cat","/srv/upper"]`, `"WorkingDir":"/srv"`} {
		if !strings.Contains(config, want) {
			t.Errorf("the image's configuration has no %s: %s", want, config)
		}
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
