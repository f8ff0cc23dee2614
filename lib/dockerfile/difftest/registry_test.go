package difftest

import (
	"encoding/hex"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"toaster.do/lib/dockerfile"
	"toaster.do/lib/image"
	"toaster.do/lib/image/imagetest"
)

// inside is the sandbox's name for an address of this host's loopback.
func inside(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return "10.0.2.2:" + port
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// startRegistry starts a registry and pushes the images of testdata/images there whose names match.
func (b *builder) startRegistry(t *testing.T, names string) {
	for _, tool := range []string{"skopeo", "zstd"} {
		if _, err := exec.LookPath(tool); err != nil {
			lack(t, tool+" is not installed")
		}
	}
	b.registry = imagetest.Debian(t, "")
	files, _ := filepath.Glob("testdata/images/" + names + ".Dockerfile")
	for _, name := range files {
		tag := b.registry + "/" + strings.TrimSuffix(filepath.Base(name), ".Dockerfile")
		b.buildah(t, "bud", "--isolation", "chroot", "--layers", "--pull-never", "--format", "docker",
			"--build-arg", "REGISTRY="+b.registry, "-f", name, "-t", tag, "testdata/images")
		b.buildah(t, "push", "--tls-verify=false", tag)
	}
}

// pushZstd pushes the image of layers once more, as others pack it.
func (b *builder) pushZstd(t *testing.T) {
	plain := "dir:" + t.TempDir()
	run(t, "skopeo", "copy", "--src-tls-verify=false", "--dest-decompress", "docker://"+b.registry+"/layers", plain)
	run(t, "skopeo", "copy", "--dest-tls-verify=false", "--format=oci", "--dest-compress-format=zstd", plain,
		"docker://"+b.registry+"/zstd")
	b.buildah(t, "tag", b.registry+"/layers", b.registry+"/zstd")
}

// capable is an image with a capability and a setuid program.
func (b *builder) capable(t *testing.T) {
	tag := b.registry + "/capable"
	id := b.buildah(t, "from", "--pull-never", "debian:bookworm")
	root := b.buildah(t, "mount", id)
	run(t, "sh", "-ec", "cd $0/bin; for one in ping su2 plain; do echo $one >$one; done; chmod 755 ping; chmod 6711 su2",
		root)
	value, _ := hex.DecodeString("0100000200200000000000000000000000000000") // cap_net_raw+ep
	if err := syscall.Setxattr(filepath.Join(root, "bin/ping"), "security.capability", value, 0); err != nil {
		t.Fatal(err)
	}
	b.buildah(t, "commit", "--rm", id, tag)
	b.buildah(t, "push", "--tls-verify=false", tag)
}

// digest is what a tag is in the registry.
func (b *builder) digest(t *testing.T, name string) string {
	out, err := exec.Command("skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}",
		"docker://"+b.registry+"/"+name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// writeDigests replaces @DIGEST:NAME@ in a case's Dockerfile.
func (b *builder) writeDigests(t *testing.T, dir string) {
	name := filepath.Join(dir, "Dockerfile")
	text, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(text), "@DIGEST:") {
		return
	}
	text = regexp.MustCompile(`@DIGEST:(\w+)@`).ReplaceAllFunc(text, func(m []byte) []byte {
		return []byte(b.digest(t, string(m[len("@DIGEST:"):len(m)-1])))
	})
	if err := os.WriteFile(name, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// lock looks images up as skopeo sees them.
func (b *builder) lock(t *testing.T, named []dockerfile.Named) image.Lock {
	var list []image.Locked
	for _, n := range named {
		l := image.Locked{Reference: n.Reference, Platform: n.Platform}
		if !strings.HasPrefix(n.Reference, b.registry+"/") {
			continue // no registry has it
		}
		inspect := func(into any, args ...string) string {
			out, err := exec.Command("skopeo", append([]string{"inspect", "--tls-verify=false"},
				append(args, "docker://"+n.Reference)...)...).Output()
			if err != nil {
				t.Fatalf("skopeo inspect %v %s: %v", args, n.Reference, err)
			}
			if into != nil {
				if err := json.Unmarshal(out, into); err != nil {
					t.Fatal(err)
				}
			}
			return strings.TrimSpace(string(out))
		}
		inspect(&l, "--raw") // its layers have the same names
		var config struct{ Config image.Config }
		inspect(&config, "--config", "--raw")
		l.Digest, l.Config = inspect(nil, "--format", "{{.Digest}}"), config.Config
		list = append(list, l)
	}
	return image.NewLock(list)
}
