package image

import (
	"bytes"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"toaster.do/lib/image/imagetest"
)

func TestAnArchiveSaysWhatItsImageIs(t *testing.T) {
	img := imagetest.Image(t, "linux/arm/v7", v1.Config{Env: []string{"A=1"},
		ExposedPorts: map[string]struct{}{"80/tcp": {}}}, "one", strings.Repeat("large", 1<<20))
	archive := imagetest.Archive(t, img)
	l, err := ReadArchive(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	if l.Digest != imagetest.Digest(t, img) || l.Size != 30+50<<20 || len(l.Layers) != 2 || l.Layers[1].Size != 50<<20 ||
		l.Config.Env[0] != "A=1" || l.Config.Variant != "v7" || len(l.Config.ExposedPorts) != 1 {
		t.Errorf("%+v", l)
	}
	text := string(archive[:8<<10])
	for name, bad := range map[string]string{
		"nothing":          "",
		"no tar":           strings.Repeat("x", 2000),
		"no image":         strings.Replace(text, `"manifests":[{`, `"manifests":[],[{`, 1),
		"another manifest": strings.Replace(text, `"layers"`, `"Layers"`, 1),
		"another config":   strings.Replace(text, "A=1", "A=2", 1),
		"another digest":   strings.Replace(text, `"digest":"sha256:`, `"digest":"sha512:`, 1),
		"cut off":          text[:2000],
	} {
		if l, err := ReadArchive(strings.NewReader(bad)); err == nil {
			t.Errorf("%s: %+v", name, l)
		}
	}
}

func TestTheArchiveOfALockIsAFileOfABuild(t *testing.T) {
	one := Locked{Reference: "site.example/jobs/0123456789ab", Platform: "linux/amd64", Digest: digest}
	for text, good := range map[string]bool{"": true, "ann-rootfs-1/12/rootfs_amd64.oci.tar": true, "a/0/x.oci.tar": false,
		"a/1/../x.oci.tar": false, "a/b/1/x.oci.tar": false, "a/1/x.tar": false, "@stage/1/x.oci.tar": false} {
		one.Archive = text
		if err := one.Check(); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
	one.Archive = "ann-rootfs-1/12/rootfs_amd64.oci.tar"
	if job, number, file := one.InArchive(); job != "ann-rootfs-1" || number != 12 || file != "rootfs_amd64.oci.tar" {
		t.Error(job, number, file)
	}
}
