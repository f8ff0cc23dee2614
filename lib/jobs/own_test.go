package jobs

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/image"
	"toaster.do/lib/image/imagetest"
	"toaster.do/lib/store"
)

// lending is a site whose builds leave an image, with a job that was built.
func lending(t *testing.T) (h *fixture, base *store.Job) {
	t.Helper()
	h = withImages(t, registries{})
	h.Host, h.Lends = "site.example:8080", true
	h.fake.archive = archived(t, "linux/amd64", "1")
	base = h.add()
	h.builds(base, engine.Succeeded)
	return h, base
}

func archived(t *testing.T, platform, text string) []byte {
	t.Helper()
	return imagetest.Archive(t, imagetest.Image(t, platform, v1.Config{Env: []string{"TEXT=" + text}}, text))
}

// locked is what the newest revision of a job has of its only image.
func (h *fixture) locked(job *store.Job) image.Locked {
	h.Helper()
	rev, err := h.Source(h.Context(), h.ann.ID, job.ID, 0)
	if err != nil {
		h.Fatal(err)
	}
	lock, err := lockOf(rev)
	if err != nil || len(lock) != 1 {
		h.Fatalf("%v, %v", lock, err)
	}
	return lock[0]
}

func TestAJobStandsOnABuildOfAnother(t *testing.T) {
	h, base := lending(t)
	from := func(tag string) *store.Job {
		t.Helper()
		job, err := h.Add(t.Context(), h.ann, text("FROM "+h.Host+"/jobs/"+base.ID+tag+"\nCMD [\"/x\"]\n"))
		if err != nil {
			t.Fatal(err)
		}
		return job
	}
	fixed, latest := from(":1"), from("")
	one := h.locked(fixed)
	if one.Config.Env[0] != "TEXT=1" || one.Archive != base.EngineName+"/1/a.oci.tar" || len(one.Layers) != 1 ||
		one.Platform != "linux/amd64" {
		t.Errorf("%+v", one)
	}
	// Another build makes no difference until the images are looked up again, and then to “latest” only.
	h.fake.archive = archived(t, "linux/amd64", "2")
	h.builds(base, engine.Succeeded, engine.Failed)
	if l := h.locked(latest); l.Digest != one.Digest {
		t.Errorf("the lock is %+v", l)
	}
	_, changed, err := h.LookUpImages(t.Context(), h.ann.ID, latest.ID)
	if l := h.locked(latest); err != nil || !changed || l.Config.Env[0] != "TEXT=2" ||
		l.Archive != base.EngineName+"/2/a.oci.tar" {
		t.Errorf("%v, %v, the lock is %+v", err, changed, l)
	}
	b, err := h.Blend(t.Context(), h.ann.ID, latest.ID, 0)
	want := h.Host + "/jobs/" + base.ID + "@" + h.locked(latest).Digest
	if err != nil || !strings.Contains(string(b), want) {
		t.Errorf("%v: the blend has no %s", err, want)
	}
}

func TestImagesOfBuildsThatCannotBeHad(t *testing.T) {
	h, base := lending(t)
	bob := h.user("bob@example.org")
	h.builds(base, engine.Failed)
	never := h.add()
	site := h.Host + "/jobs/"
	for _, c := range []struct{ reference, code, says string }{
		{site + base.ID + ":2", "image_not_found", "has not succeeded"},
		{site + base.ID + ":7", "image_not_found", "does not exist"},
		{site + base.ID + ":newest", "image_name", "the tag is neither"},
		{site + base.ID + ":-1", "image_name", "the tag is neither"},
		{site + never.ID, "image_not_found", "no build of this job has succeeded"},
		{site + "000000000000:1", "image_not_found", "you have no such job"},
		{h.Host + "/other/image", "image_not_found", "does not exist"}, // a registry at the same address
		{"other.example/jobs/" + base.ID, "image_not_found", "does not exist"},
	} {
		want := image.Want{Reference: c.reference, Platform: "linux/amd64"}
		_, problems := h.LookUp(t.Context(), h.ann.ID, []image.Want{want}, image.Want{})
		if len(problems) != 1 || problems[0].Err.Code != c.code || problems[0].Passes() ||
			!strings.Contains(problems[0].Err.Message.String(), c.says) {
			t.Errorf("%s: %+v", c.reference, problems)
		}
	}
	good := "FROM " + site + base.ID + ":1\n"
	var r *Rejected
	if _, err := h.Add(t.Context(), bob, text(good)); !errors.As(err, &r) ||
		!strings.Contains(r.Faults[0].Message.String(), "you have no such job") {
		t.Errorf("another person gets %v", err)
	}
	for platform, says := range map[string]string{"linux/arm64": "is for linux/arm64", "linux/amd64": ""} {
		h.fake.archive = archived(t, platform, "1")
		_, err := h.Add(t.Context(), h.ann, text(good))
		if (err == nil) != (says == "") || says != "" && (!errors.As(err, &r) ||
			!strings.Contains(r.Faults[0].Message.String(), says)) {
			t.Errorf("%s: %v", platform, err)
		}
	}
	h.fake.archive = h.fake.archive[:700]
	if _, err := h.Add(t.Context(), h.ann, text(good)); !errors.As(err, &r) ||
		!strings.Contains(r.Faults[0].Message.String(), "can't be read") {
		t.Error(err)
	}
	h.Lends = false
	if _, err := h.Add(t.Context(), h.ann, text(good)); !errors.As(err, &r) ||
		!strings.Contains(r.Faults[0].Message.String(), "Jenkins") {
		t.Error(err)
	}
}

// What was begun is done, though a job came to need the build meanwhile: its files may be gone already.
func TestABuildWhoseFilesWereBeingDeletedIsDeleted(t *testing.T) {
	h, base := lending(t)
	if _, err := h.db.ClaimExpired(t.Context(), store.ExpiredBuild{JobID: base.ID, Number: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Add(t.Context(), h.ann, text("FROM "+h.Host+"/jobs/"+base.ID+":1\n")); err != nil {
		t.Fatal(err)
	}
	h.expire()
	if there := h.there(base); len(there) != 0 {
		t.Errorf("%v are there", there)
	}
}

// The files of a build that a job stands on stay; where they were deleted all the same, no build starts.
func TestABuildThatAnotherJobNeedsStays(t *testing.T) {
	h, base := lending(t)
	h.Limits.Keep, h.Limits.Builds.KeepDays = 1, 1
	job, err := h.Add(t.Context(), h.ann, text("FROM debian:bookworm\nCOPY --from="+h.Host+"/jobs/"+base.ID+":1 /x /x\n"))
	if err != nil {
		t.Fatal(err)
	}
	h.builds(base, engine.Succeeded, engine.Succeeded)
	h.clock = h.clock.Add(48 * time.Hour)
	h.expire()
	if there := h.there(base); !slices.Equal(there, []int{1, 3}) && !slices.Equal(there, []int{1}) {
		t.Errorf("%v are there", there)
	}
	if _, _, err := h.Start(t.Context(), h.ann.ID, job.ID, nil); err != nil {
		t.Error(err)
	}
	h.fake.expired = append(h.fake.expired, base.EngineName+"/1")
	if err := h.Stop(t.Context(), h.ann.ID, job.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.Start(t.Context(), h.ann.ID, job.ID, nil); apperr.KindOf(err) != apperr.FailedPrecondition ||
		!strings.Contains(err.Error(), "were deleted") {
		t.Error(err)
	}
	// What nobody needs any more goes.
	if err := h.Remove(t.Context(), h.ann.ID, job.ID); err != nil {
		t.Fatal(err)
	}
	h.expire()
	if there := h.there(base); slices.Contains(there, 1) {
		t.Errorf("%v are there", there)
	}
}
