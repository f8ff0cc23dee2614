package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/i18n"
	"toaster.do/lib/image"
	"toaster.do/lib/store"
)

// registries is what registries have: a digit for each image, which makes its digest; "away" is out of reach.
type registries map[string]string

func (r registries) LookUp(_ context.Context, wants []image.Want, _ image.Want) (image.Lock, []image.Problem) {
	var found []image.Locked
	var problems []image.Problem
	for _, w := range wants {
		switch v := r[w.Reference]; v {
		case "":
			problems = append(problems, image.Problem{Want: w,
				Err: apperr.New(apperr.NotFound, "%s does not exist.", "Check it.", w.Reference).Coded("image_not_found")})
		case "away":
			problems = append(problems, image.Problem{Want: w,
				Err: apperr.Wrap(apperr.Unavailable, errors.New("dial"), "It is away.", "Later.").Coded("registry_unavailable")})
		default:
			found = append(found, image.Locked{Reference: w.Reference, Platform: w.Platform,
				Digest: "sha256:" + strings.Repeat(v, 64), Size: 7})
		}
	}
	return image.NewLock(found), problems
}

// withImages is a service whose translator takes images of these registries.
func withImages(t *testing.T, r registries) *fixture {
	t.Helper()
	h := newFixture(t)
	h.Images = r
	return h
}

// digests are a stored revision's images, “reference=digit”, and its problems.
func (h *fixture) digests(id string) (list []string, problems []ImageProblem) {
	h.Helper()
	rev, err := h.Store.Revision(h.Context(), h.ann.ID, id, 0)
	if err != nil {
		h.Fatal(err)
	}
	images, err := ImagesOf(rev.Lock)
	if err != nil {
		h.Fatal(err)
	}
	for _, i := range images.Lock {
		list = append(list, i.Reference+"="+i.Digest[len(i.Digest)-1:])
	}
	return list, images.Problems
}

func text(s string) Submission { return Submission{Target: rootfs, Dockerfile: []byte(s)} }

const twoStages = "FROM golang:1.22 AS a\nFROM alpine AS b\nFROM debian:bookworm\nRUN --mount=from=a,target=/a " +
	"--mount=from=b,target=/b true\n"

func TestAJobLocksItsImages(t *testing.T) {
	r := registries{"golang:1.22": "1", "alpine": "2"}
	h := withImages(t, r)
	job, err := h.Add(t.Context(), h.ann, text(twoStages))
	if err != nil {
		t.Fatal(err)
	}
	if list, problems := h.digests(job.ID); !slices.Equal(list, []string{"alpine=2", "golang:1.22=1"}) ||
		len(problems) > 0 {
		t.Errorf("%v, %v", list, problems)
	}
	rev, err := h.Source(t.Context(), h.ann.ID, job.ID, 0)
	if err != nil || !rev.Lock.LookedAt.Equal(h.Now()) {
		t.Errorf("%+v, %v", rev.Lock, err)
	}
	if src := sourceOf(job, rev); string(src.Lock) != string(rev.Lock.Images) {
		t.Errorf("the engine gets %s", src.Lock)
	}
	// An edit looks them up again; the older revision keeps its own.
	h.start(job.ID)
	r["alpine"] = "3"
	if job, err = h.Update(t.Context(), h.ann.ID, job.ID, 1, text(twoStages+"RUN true\n")); err != nil {
		t.Fatal(err)
	}
	h.start(job.ID)
	if list, _ := h.digests(job.ID); !slices.Equal(list, []string{"alpine=3", "golang:1.22=1"}) {
		t.Error(list)
	}
	c, err := h.Compare(t.Context(), h.ann.ID, job.ID, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	want := Change{"alpine (linux/amd64)", "sha256:" + strings.Repeat("2", 64), "sha256:" + strings.Repeat("3", 64)}
	if !slices.Equal(c.Images, []Change{want}) ||
		!slices.Contains(c.Why(), i18n.T("An image that the Dockerfile names has changed.")) {
		t.Errorf("%v, %v", c.Images, c.Why())
	}
}

// start starts a build and ends it.
func (h *fixture) start(id string) {
	h.Helper()
	b, _, err := h.Start(h.Context(), h.ann.ID, id, nil)
	if err != nil {
		h.Fatal(err)
	}
	h.behind("UPDATE build SET state = 'succeeded', finalized = 1, ended_at = queued_at WHERE job_id = ? AND number = ?",
		id, b.Number)
}

func TestAnImageThatIsNotThereIsRefusedAtItsLine(t *testing.T) {
	h := withImages(t, registries{"alpine": "2"})
	_, err := h.Add(t.Context(), h.ann, text(twoStages))
	f := apperr.Of(err)
	if f.Kind != apperr.NotFound || f.Field != "dockerfile" ||
		f.Message.String() != "Line 1: golang:1.22 does not exist." || f.Code != "image_not_found" {
		t.Errorf("%+v", f)
	}
	if page, err := h.db.Jobs(t.Context(), h.ann.ID, store.JobQuery{Limit: 1}); err != nil || page.Total != 0 {
		t.Errorf("%d jobs were stored, %v", page.Total, err)
	}
}

func TestARegistryThatIsAwayLeavesAJob(t *testing.T) {
	r := registries{"golang:1.22": "away", "alpine": "2"}
	h := withImages(t, r)
	job, err := h.Add(t.Context(), h.ann, text(twoStages))
	if err != nil {
		t.Fatal(err)
	}
	list, problems := h.digests(job.ID)
	if !slices.Equal(list, []string{"alpine=2"}) || len(problems) != 1 ||
		problems[0] != (ImageProblem{"golang:1.22", "linux/amd64", "registry_unavailable", i18n.T("It is away."),
			i18n.T("Later.")}) {
		t.Errorf("%v, %+v", list, problems)
	}
	if _, _, err := h.Start(t.Context(), h.ann.ID, job.ID, nil); apperr.Of(err).Code != "image_not_locked" {
		t.Errorf("a build without the image: %v", err)
	}
	// It is still away: nothing has changed, but the time.
	h.clock = h.clock.Add(time.Second)
	again, changed, err := h.LookUpImages(t.Context(), h.ann.ID, job.ID)
	if err != nil || changed || again.Revision != 1 {
		t.Errorf("%+v, %v, %v", again, changed, err)
	}
	if l, err := h.Store.ImageLock(t.Context(), h.ann.ID, job.ID); err != nil || !l.LookedAt.Equal(h.Now()) {
		t.Errorf("%v, not %v: %v", l.LookedAt, h.Now(), err)
	}
	// It is back.
	r["golang:1.22"] = "4"
	again, changed, err = h.LookUpImages(t.Context(), h.ann.ID, job.ID)
	if err != nil || !changed || again.Revision != 2 || again.EngineRevision != 2 {
		t.Errorf("%+v, %v, %v", again, changed, err)
	}
	if list, problems = h.digests(job.ID); !slices.Equal(list, []string{"alpine=2", "golang:1.22=4"}) ||
		len(problems) != 0 {
		t.Errorf("%v, %+v", list, problems)
	}
	// It goes away, and one image is deleted: what was known stays, and is said.
	r["golang:1.22"], r["alpine"] = "away", ""
	again, changed, err = h.LookUpImages(t.Context(), h.ann.ID, job.ID)
	if err != nil || changed || again.Revision != 2 {
		t.Errorf("%+v, %v, %v", again, changed, err)
	}
	if list, problems = h.digests(job.ID); len(list) != 2 || len(problems) != 2 {
		t.Errorf("%v, %+v", list, problems)
	}
	r["alpine"] = "2"
	if _, err := h.Update(t.Context(), h.ann.ID, job.ID, 2, text(twoStages+"RUN x\n")); err != nil {
		t.Fatal(err)
	}
	if list, problems = h.digests(job.ID); !slices.Equal(list, []string{"alpine=2", "golang:1.22=4"}) ||
		len(problems) != 1 {
		t.Errorf("%v, %+v", list, problems)
	}
}

func TestAskingTooOftenIsRefused(t *testing.T) {
	h := withImages(t, registries{"golang:1.22": "1", "alpine": "2"})
	job, err := h.Add(t.Context(), h.ann, text(twoStages))
	for range store.LookUps[0].Count - 1 {
		if _, _, again := h.LookUpImages(t.Context(), h.ann.ID, job.ID); again != nil {
			err = again
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.LookUpImages(t.Context(), h.ann.ID, job.ID); apperr.KindOf(err) != apperr.RateLimited {
		t.Error(err)
	}
	if _, err := h.Update(t.Context(), h.ann.ID, job.ID, 1,
		text(twoStages+"RUN x\n")); apperr.KindOf(err) != apperr.RateLimited {
		t.Error(err)
	}
	h.clock = h.clock.Add(2 * time.Minute)
	if _, _, err := h.LookUpImages(t.Context(), h.ann.ID, job.ID); err != nil {
		t.Error(err)
	}
}

func TestAJobWithoutImagesAsksNobody(t *testing.T) {
	h := newFixture(t)
	h.Images = nil // asking would panic
	job := h.add()
	_, changed, err := h.LookUpImages(t.Context(), h.ann.ID, job.ID)
	if apperr.KindOf(err) != apperr.FailedPrecondition || changed {
		t.Error(err)
	}
	if l, err := h.Store.ImageLock(t.Context(), h.ann.ID, job.ID); err != nil || l.Images != nil {
		t.Errorf("%+v, %v", l, err)
	}
	// A Dockerfile with mistakes is refused before anybody is asked.
	if _, err := h.Add(t.Context(), h.ann, text("FROM alpine AS a\nFROM debian:bookworm\nRUNN x\n")); err == nil {
		t.Error("it was taken")
	}
	if _, _, err := h.LookUpImages(t.Context(), h.ann.ID+1, job.ID); apperr.KindOf(err) != apperr.NotFound {
		t.Error(err)
	}
}

// TestPlainBasesThatTheSiteNames: they need no registry, suggest their target, and are in the script of each program.
func TestPlainBasesThatTheSiteNames(t *testing.T) {
	h := newFixture(t)
	h.Images, h.Plain = nil, map[string]string{"registry.example.org/base": "debian"} // asking would panic
	job, err := h.Add(t.Context(), h.ann, text("FROM registry.example.org/base:12\nRUN true\n"))
	if err != nil {
		t.Fatal(err)
	}
	rev, err := h.Source(t.Context(), h.ann.ID, job.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	script, err := h.Make(sourceOf(job, rev))
	if err != nil || string(script.Script) != h.fake.jobs[job.EngineName].script ||
		strings.Contains(string(script.Script), "\nunknown_image registry") {
		t.Error("another script", err)
	}
	c, err := h.Check(t.Context(), h.ann, false, Submission{Dockerfile: []byte("FROM registry.example.org/base:12\n")})
	if err != nil || c.Distribution != "debian" || c.Codename != "bookworm" || c.Target == "" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestTheMakerOfScriptsGetsTheLock(t *testing.T) {
	h := withImages(t, registries{"golang:1.22": "1", "alpine": "2"})
	job, err := h.Add(t.Context(), h.ann, text(twoStages))
	if err != nil {
		t.Fatal(err)
	}
	rev, err := h.Source(t.Context(), h.ann.ID, job.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	script, err := h.Make(sourceOf(job, rev))
	if err != nil || string(script.Script) != h.fake.jobs[job.EngineName].script {
		t.Error("another script", err)
	}
	src := sourceOf(job, rev)
	src.Lock = []byte(`{"version":1,"images":[{}]}`)
	if _, err := h.Make(src); err == nil {
		t.Error("a lock that can't be read was taken")
	}
	if text, err := json.Marshal(src); err != nil || len(text) == 0 {
		t.Error(err)
	}
}
