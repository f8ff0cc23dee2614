package target

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"toaster.do/lib/dockerfile"
	images "toaster.do/lib/image"
)

// configured has all that an image can be configured with, and words that a shell must not see.
const configured = `ENV A="it's $(id) \"q\" é <&>" B=2
WORKDIR /srv
USER 33:33
EXPOSE 8080 53/udp
VOLUME /data
LABEL x="<y> & 'z'" empty="" y="100%s %n\\n \t"
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s --retries=2 CMD true
SHELL ["/bin/sh", "-ec"]
ONBUILD ENV C=3
ENTRYPOINT ["/bin/echo"]
CMD ["a b", "c"]
COPY <<x /srv/x
$A
x
`

// The OCI archive of a build is what another builder makes of the Dockerfile: its configuration, and its tree.
func TestTheOCIArchiveIsWhatOthersBuild(t *testing.T) {
	canBuild(t)
	for _, tool := range []string{"skopeo", "buildah"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	quickBase(t)
	for name, from := range map[string]string{"system": "debian:bookworm", "appliance": "scratch"} {
		t.Run(name, func(t *testing.T) {
			made, findings := dockerfile.Translate(dockerfile.Source{Dockerfile: []byte("FROM " + from + "\n" + configured)})
			if made == nil {
				t.Fatal(findings)
			}
			r := recipe("")
			r.Blend, r.BlendSHA256, r.Config, r.AppRoot = made.Text, made.SHA256, made.Config, made.Root
			script, err := Script(r)
			if err != nil {
				t.Fatal(err)
			}
			b := start(t, script)
			b.end()
			b.wants(t, 0, "toaster: done")
			b.isClean(t)
			file := filepath.Join(b.dir, "dist", r.Target.Name+".oci.tar")
			tree := contents(t, b.file(t, r.Target.Name+".tar.gz"))
			if name == "appliance" {
				tree = below(tree, "./var/lib/toaster-app/rootfs/")
			}
			checkArchive(t, file, r.Target.Name, tree)
			p := newPodman(t)
			text := filepath.Join(t.TempDir(), "Dockerfile")
			write(t, text, "FROM scratch\n"+configured[:strings.Index(configured, "COPY")], 0o600)
			p.buildah(t, "bud", "--isolation", "chroot", "--format", "docker", "-f", text, "-t", "other", t.TempDir())
			var other struct{ Docker json.RawMessage }
			if err := json.Unmarshal([]byte(p.buildah(t, "inspect", "--type", "image", "other")), &other); err != nil {
				t.Fatal(err)
			}
			want := configOf(t, string(other.Docker))
			raw, err := exec.Command("skopeo", "inspect", "--config", "--raw", "oci-archive:"+file).Output()
			if got := configOf(t, string(raw)); err != nil || got != want {
				t.Errorf("%v: the configuration is\n%s\nwant\n%s", err, got, want)
			}
			p.buildah(t, "pull", "oci-archive:"+file)
			p.buildah(t, "from", "--name", "container", r.Target.Name)
			if x, err := os.ReadFile(p.buildah(t, "mount", "container") + "/srv/x"); len(x) == 0 {
				t.Error(err)
			}
		})
	}
}

// configOf is a configuration without what only we add: a PATH where the Dockerfile says none.
func configOf(t *testing.T, text string) string {
	t.Helper()
	var c struct {
		Architecture, OS string
		Config           images.Config
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	c.Config.Env = slices.DeleteFunc(c.Config.Env, func(kv string) bool { return strings.HasPrefix(kv, "PATH=") })
	delete(c.Config.Labels, "io.buildah.version")
	encoded, _ := json.MarshalIndent(c, "", " ")
	return string(encoded)
}

// below are the files of a folder.
func below(all map[string]entry, folder string) map[string]entry {
	part := map[string]entry{}
	for name, e := range all {
		if name, is := strings.CutPrefix(name, folder); is {
			part["./"+name] = e
		}
	}
	return part
}

// checkArchive has skopeo read an archive in both ways that there are, and looks at the layer.
func checkArchive(t *testing.T, file, name string, tree map[string]entry) {
	t.Helper()
	var layers []string
	for _, kind := range []string{"oci-archive:" + file, "oci-archive:" + file + ":" + name + ":latest",
		"docker-archive:" + file, "docker-archive:" + file + ":" + name + ":latest"} {
		to := t.TempDir()
		out, err := exec.Command("skopeo", "--insecure-policy", "copy", "--quiet", kind, "dir:"+to).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", kind, err, out)
		}
		text, err := os.ReadFile(filepath.Join(to, "manifest.json"))
		if err != nil {
			t.Fatal(err)
		}
		var m struct{ Layers []struct{ Digest string } }
		if err := json.Unmarshal(text, &m); err != nil || len(m.Layers) != 1 {
			t.Fatalf("%v: %s", err, text)
		}
		layer, err := os.ReadFile(filepath.Join(to, strings.TrimPrefix(m.Layers[0].Digest, "sha256:")))
		if err != nil {
			t.Fatal(err)
		}
		if layers = append(layers, m.Layers[0].Digest); kind != "oci-archive:"+file {
			continue
		}
		checkDiffID(t, file, layer)
		files := contents(t, layer)
		if e, ok := files["./srv/x"]; !ok || e.body != "it's $(id) \"q\" é <&>\n" {
			t.Errorf("/srv/x is %q", e.body)
		}
		if len(files) != len(tree) {
			t.Errorf("the layer has %d files, the tree %d", len(files), len(tree))
		}
		for path, e := range tree {
			if g := files[path]; g.body != e.body || g.Mode != e.Mode || g.Uid != e.Uid || g.Linkname != e.Linkname {
				t.Errorf("%s is %+v, want %+v", path, g.Header, e.Header)
			}
		}
	}
	if layers[0] != layers[1] || layers[2] != layers[3] {
		t.Errorf("the layers are %q", layers)
	}
}

// checkDiffID compares what an archive's configuration says of its layer with the layer.
func checkDiffID(t *testing.T, file string, layer []byte) {
	t.Helper()
	text, err := exec.Command("skopeo", "inspect", "--config", "--raw", "oci-archive:"+file).Output()
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(layer))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, z); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("sha256:%x", sum.Sum(nil)); len(c.RootFS.DiffIDs) != 1 || c.RootFS.DiffIDs[0] != want {
		t.Errorf("the layers are %q, not %s", c.RootFS.DiffIDs, want)
	}
}

// podman is a storage of images of its own.
type podman struct{ dir string }

func newPodman(t *testing.T) *podman {
	t.Helper()
	return &podman{t.TempDir()}
}

func (p *podman) buildah(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("buildah", append([]string{"--root", p.dir + "/root", "--runroot", p.dir + "/run",
		"--storage-driver", "vfs"}, args...)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("buildah %q: %v\n%s%s", args, err, out, said.Bytes())
	}
	return strings.TrimSpace(string(out))
}
