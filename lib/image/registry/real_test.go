package registry

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"toaster.do/lib/apperr"
	"toaster.do/lib/image/imagetest"
)

func TestARealRegistry(t *testing.T) {
	host := imagetest.Debian(t, "")
	platforms := []string{"linux/amd64", "linux/arm/v7"}
	var images []v1.Image
	for _, p := range platforms {
		images = append(images, imagetest.Image(t, p, v1.Config{User: p}, "one", "two "+p))
	}
	imagetest.Push(t, host+"/dyne/both:1", imagetest.Index(t, platforms, images...))
	digest := imagetest.Push(t, host+"/dyne/one:1", images[0])
	c := client(host)
	for _, p := range platforms {
		if img := resolve(t, c, host+"/dyne/both:1", p); img.Config.User != p || len(img.Layers) != 2 {
			t.Errorf("%+v", img)
		}
	}
	for _, reference := range []string{host + "/dyne/one:1", host + "/dyne/both@" + digest,
		host + "/dyne/one:7@" + digest} {
		if img := resolve(t, c, reference, "linux/amd64"); img.Digest != digest {
			t.Errorf("%s: %+v", reference, img)
		}
	}
	for _, reference := range []string{host + "/dyne/one:2", host + "/nobody/nothing"} {
		if e := refused(t, c, reference, "linux/amd64"); e.Kind != apperr.NotFound {
			t.Errorf("%+v", e)
		}
	}
	if e := refused(t, c, host+"/dyne/both:1", "linux/s390x"); !strings.Contains(e.Message.String(),
		"linux/amd64, linux/arm/v7") {
		t.Errorf("%+v", e)
	}
}

func TestARealRegistryWithALogin(t *testing.T) {
	host := imagetest.Debian(t, "swordfish")
	for logins, ok := range map[string]bool{basic("me", "swordfish"): true, basic("me", "x"): false, "": false} {
		cfg := login(t, map[string]string{host: logins})
		cfg.Insecure = []string{host}
		// With a login the image is missing, without one it is not known whether.
		want := map[bool]string{true: "image_not_found", false: "image_denied"}[ok]
		if e := refused(t, New(cfg, "test"), host+"/a", "linux/amd64"); e.Code != want {
			t.Errorf("%s: %+v", logins, e)
		}
	}
}

// TestWhatBuildahPushes: its images are other people's, in both formats.
func TestWhatBuildahPushes(t *testing.T) {
	if _, err := exec.LookPath("buildah"); err != nil || os.Geteuid() != 0 {
		t.Skip("needs buildah, and root")
	}
	host := imagetest.Debian(t, "")
	dir := t.TempDir()
	file := "FROM scratch\nCOPY Dockerfile /a\nCOPY Dockerfile /b\nENV A=1 B=\"x y\"\nWORKDIR /srv\nUSER 7:8\nEXPOSE 80 " +
		"53/udp\n" +
		"VOLUME /data\nLABEL l=m\nSTOPSIGNAL SIGINT\nSHELL [\"/bin/bash\", \"-c\"]\nONBUILD RUN true\nHEALTHCHECK " +
		"--interval=5s CMD /b\n" +
		"ENTRYPOINT [\"/a\"]\nCMD [\"b\"]\n"
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"docker", "oci"} {
		buildah := func(args ...string) {
			t.Helper()
			store := []string{"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"), "--storage-driver",
				"vfs"}
			if out, err := exec.Command("buildah", append(store, args...)...).CombinedOutput(); err != nil {
				t.Fatalf("buildah %v: %v\n%s", args, err, out)
			}
		}
		reference := host + "/buildah/" + format
		buildah("build", "--layers", "--format", format, "--platform", "linux/arm64", "-t", reference, dir)
		buildah("push", "--tls-verify=false", reference)
		img := resolve(t, client(host), reference, "linux/arm64")
		c := img.Config
		if len(img.Layers) < 2 || c.User != "7:8" || c.WorkingDir != "/srv" || strings.Join(c.Env, ",") != "A=1,B=x y" &&
			!strings.HasSuffix(strings.Join(c.Env, ","), "A=1,B=x y") ||
			len(c.ExposedPorts) != 2 || len(c.Volumes) != 1 || c.Labels["l"] != "m" || c.StopSignal != "SIGINT" ||
			strings.Join(c.Entrypoint, " ") != "/a" || strings.Join(c.Cmd, " ") != "b" {
			t.Errorf("%s: %+v", format, img)
		}
		// OCI knows no SHELL, ONBUILD and HEALTHCHECK.
		if format == "docker" && (len(c.Shell) != 2 || len(c.OnBuild) != 1 || c.Healthcheck == nil ||
			c.Healthcheck.Interval != 5*time.Second) {
			t.Errorf("%+v", img)
		}
		if e := refused(t, client(host), reference, "linux/amd64"); e.Code != "image_platform" {
			t.Errorf("%+v", e)
		}
	}
}
