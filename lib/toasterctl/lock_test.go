package main

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"toaster.do/lib/image"
	"toaster.do/lib/image/imagetest"
)

func TestLock(t *testing.T) {
	host := imagetest.Serve(t)
	platforms := []string{"linux/amd64", "linux/arm/v7"}
	var images []v1.Image
	for _, p := range platforms {
		images = append(images, imagetest.Image(t, p, v1.Config{Env: []string{"P=" + p}}, p))
	}
	imagetest.Push(t, host+"/base:1", imagetest.Index(t, platforms, images...))
	config := newSite(t)
	adjusted(t, config, "insecure = []", `insecure = ["`+host+`"]`)
	text := "ARG V=0\nFROM " + host + "/base:$V AS a\nFROM debian:bookworm\nCOPY --from=a / /a\n"
	lock := func(stdin string, args ...string) answer {
		t.Helper()
		return ctl(t, stdin, append([]string{"lock", "--config", config, "-"}, args...)...)
	}
	for platform, args := range map[string][]string{"linux/amd64": nil, "linux/arm/v7": {"--platform", "linux/arm/v7"}} {
		out := lock(text, append(args, "--build-arg", "V=1")...).exits(0).out
		l, err := image.Parse([]byte(out))
		if err != nil || len(l) != 1 || l[0].Platform != platform || l[0].Config.Env[0] != "P="+platform ||
			string(l.Encode()) != out {
			t.Errorf("%v: %s", err, out)
		}
	}
	if out := lock(text, "--build-arg", "V=1", "--target", rootfs).exits(0).out; !strings.Contains(out, `"linux/amd64"`) {
		t.Error(out)
	}
	lock(text, "--platform", "linux/s390x", "--build-arg", "V=1").exits(1).complains("Dockerfile:2: ",
		"has no image for linux/s390x", "linux/arm/v7")
	if a := lock(text).exits(1).complains("Dockerfile:2: " + host + "/base:0 does not exist."); a.out != "" {
		t.Errorf("part of a lock: %s", a.out)
	}
	if out := lock(simple).exits(0).out; out != string(image.Lock(nil).Encode()) {
		t.Error(out)
	}
	file := write(t, filepath.Join(t.TempDir(), "toaster.lock"), lock(text, "--build-arg", "V=1").out)
	for _, command := range [][]string{{"blend"}, {"script", "--target", rootfs}} {
		args := append(command, "--config", config, "--build-arg", "V=1", "-")
		if a := ctl(t, text, args...).exits(1); a.out != "" || !strings.Contains(a.err, "Run “toasterctl lock - >FILE”") {
			t.Errorf("%s: %s%s", command, a.out, a.err)
		}
		if a := ctl(t, text, append(args, "--lock", file)...).exits(0); !strings.Contains(a.out, host+"/base@sha256:") {
			t.Errorf("%s: the image is not in it\n%s", command, a.err)
		}
		ctl(t, text, append(args, "--lock", config)...).exits(1).complains("is not a lock")
	}
	if a := ctl(t, text, "lint", "--config", config, "--build-arg", "V=1", "-").exits(0); strings.Contains(a.out, "NotLocked") {
		t.Error(a.out)
	}
	adjusted(t, config, "plain = {}", `plain = { "`+host+`/base" = "debian" }`)
	renamed := "FROM " + host + "/base:12\nRUN true\n"
	if out := lock(renamed).exits(0).out; out != string(image.Lock(nil).Encode()) {
		t.Error(out)
	}
	if a := ctl(t, renamed, "blend", "--config", config, "-").exits(0); strings.Contains(a.out, host+"/base@sha256:") {
		t.Errorf("it is fetched\n%s", a.err)
	}
	lock("FRUM x\n").exits(1).complains("Dockerfile:1: error")
	lock("").exits(1).complains("empty")
	lock(text, "--platform", "linux/sparc").exits(2).complains("--platform")
	lock(text, "--platform", "linux/amd64", "--target", rootfs).exits(2)
	ctl(t, text, "lock", filepath.Join(t.TempDir(), "none")).exits(1).complains("no such file")
}

func TestTheImagesOfAJobOnTheCommandLine(t *testing.T) {
	config := newSite(t)
	dockerfile := write(t, filepath.Join(t.TempDir(), "Dockerfile"), simple)
	id := strings.TrimSpace(ctl(t, "", "job", "add", "--config", config, "--owner", email, "--target", rootfs,
		dockerfile).exits(0).out)
	ctl(t, "", "job", "lock", "--config", config, id).exits(1).complains("names no images of registries")
	host := imagetest.Serve(t)
	digest := imagetest.Push(t, host+"/base", imagetest.Image(t, "linux/amd64", v1.Config{}, "x"))
	adjusted(t, config, "insecure = []", `insecure = ["`+host+`"]`)
	db, err := sql.Open("sqlite3", filepath.Join(filepath.Dir(config), "toaster.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("UPDATE revision SET dockerfile = ?", []byte("FROM "+host+"/base\n")); err != nil {
		t.Fatal(err)
	}
	ctl(t, "", "job", "lock", "--config", config, "--dry-run", id).exits(0).says("would look up the images of job " + id)
	ctl(t, "", "job", "lock", "--config", config, id).exits(0).says("the images have changed",
		"looked up the images of job "+id)
	ctl(t, "", "job", "lock", "--config", config, id).exits(0).says("looked up the images of job " + id)
	ctl(t, "", "job", "status", "--config", config, id).exits(0).says("image " + host + "/base for linux/amd64: " + digest)
	ctl(t, "", "job", "status", "--config", config, "--json", id).exits(0).says(digest)
}

// An image of the site itself is its owner's: the command line has to say whose.
func TestLockOfAnImageOfThisSite(t *testing.T) {
	config := newSite(t)
	adjusted(t, config, `url = ""`, `url = "https://site.example"`)
	text := "FROM site.example/jobs/0123456789ab:1\n"
	ctl(t, text, "lock", "--config", config, "-").exits(2).complains("specify --owner EMAIL")
	ctl(t, text, "lock", "--config", config, "--owner", email, "-").exits(1).complains("Dockerfile:1: "+
		"site.example/jobs/0123456789ab:1: you have no such job.", "Write site.example/jobs/ID:NUMBER")
	ctl(t, text, "lock", "--config", config, "--owner", "nobody@example.org", "-").exits(1)
}
