package local

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"toaster.do/lib/engine"
	"toaster.do/lib/image"
	"toaster.do/lib/image/imagetest"
)

// A build gets the layers of other builds' images that its lock has, and nothing else of them.
func TestABuildGetsTheImagesOfOthers(t *testing.T) {
	h := newFixture(t)
	defer syscall.Umask(syscall.Umask(0o077))
	h.runner(nil)
	archive := imagetest.Archive(t, imagetest.Image(t, "linux/amd64", v1.Config{}, "one", "two"))
	file := filepath.Join(t.TempDir(), "a.oci.tar")
	if err := os.WriteFile(file, archive, 0o644); err != nil {
		t.Fatal(err)
	}
	h.create("base", "mkdir dist && cp "+file+" dist/a.oci.tar")
	h.becomes("base", h.start("base"), engine.Succeeded)
	l, err := image.ReadArchive(strings.NewReader(string(archive)))
	if err != nil {
		t.Fatal(err)
	}
	l.Reference, l.Platform, l.Archive = "site.example/jobs/0123456789ab", "linux/amd64", "base/1/a.oci.tar"
	define := func(name string, change func(*image.Locked)) {
		t.Helper()
		one := l
		change(&one)
		h.define(engine.Job{Name: name, Source: engine.Source{Lock: image.NewLock([]image.Locked{one}).Encode()}},
			"echo has $(cat $TOASTER_IMAGES/blobs/sha256/* | tr -d '\\n') of $(find $TOASTER_IMAGES -type f -perm 644 | wc -l)",
			"[ -z \"$TOASTER_IMAGES\" ] || [ $(find $TOASTER_IMAGES -type d -perm 755 | wc -l) = 3 ]")
	}
	define("upper", func(*image.Locked) {})
	b := h.becomes("upper", h.start("upper"), engine.Succeeded)
	log := h.log("upper", b.Number)
	if !strings.Contains(log, strings.Repeat("one", 10)) || !strings.Contains(log, strings.Repeat("two", 10)) ||
		!strings.Contains(log, " of 2\n") {
		t.Errorf("its log is %q", log)
	}
	for name, c := range map[string]struct {
		change func(*image.Locked)
		says   string
	}{
		"none":    {func(l *image.Locked) { l.Archive = "base/2/a.oci.tar" }, "were deleted"},
		"upwards": {func(l *image.Locked) { l.Archive = "../1/a.oci.tar" }, ""},
		"size": {func(l *image.Locked) { l.Layers = []image.Part{{Digest: l.Layers[0].Digest, Size: 1}} },
			"lacks a layer"},
	} {
		define(name, c.change)
		if c.says == "" { // it is no archive
			b := h.becomes(name, h.start(name), engine.Succeeded)
			if log := h.log(name, b.Number); !strings.Contains(log, "has of") {
				t.Errorf("%s: its log is %q", name, log)
			}
			continue
		}
		if b := h.becomes(name, h.start(name), engine.Failed); !strings.Contains(b.Reason.String(), c.says) {
			t.Errorf("%s: %q", name, b.Reason)
		}
	}
	h.clean()
}
